package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/jsonmsg"
)

// disk is what the collector writes to; it can be full.
type disk struct {
	mu   sync.Mutex
	full bool
	text strings.Builder
}

func (d *disk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		return 0, errors.New("disk full")
	}
	return d.text.Write(p)
}

func TestCollector(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	id := ca.Issue(certstest.Template{IPs: []string{"127.0.0.1"}})
	d := &disk{}
	c := &collector{ca: ca.DER(), cert: id.DER, key: id.KeyDER, out: d}
	server, err := c.server()
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen(t.Context(), tlsio.HostNetwork{}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, server, l) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	dial := func(options tlsio.TLSOptions, timeout time.Duration) (*jsonmsg.Client, error) {
		options.CA = [][]byte{ca.DER()}
		return jsonmsg.Dial(t.Context(), tlsio.HostNetwork{}, jsonmsg.ClientOptions{
			Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: options, RequestTimeout: timeout})
	}

	// Nobody comes in without a certificate.
	if client, err := dial(tlsio.TLSOptions{}, 0); err == nil {
		client.Close()
		t.Error("a client without a certificate was admitted")
	}

	device := ca.Issue(certstest.Template{Client: true, CommonName: "sensor 7"})
	client, err := dial(tlsio.TLSOptions{ClientCertificate: [][]byte{device.DER}, ClientKey: [][]byte{device.KeyDER}}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Request(t.Context(), map[string]int{"seq": 1}); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	if got, want := d.text.String(), `{"from":"sensor 7","report":{"seq":1}}`+"\n"; got != want {
		t.Errorf("written %q, want %q", got, want)
	}
	d.full = true
	d.mu.Unlock()

	// What is not written down is not confirmed.
	waiting, end := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer end()
	if answer, err := client.Request(waiting, map[string]int{"seq": 2}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("confirmed with %s, %v", answer, err)
	}
}
