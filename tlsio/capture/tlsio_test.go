package capture

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/pki"
	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// Both ends of tlsio's connections, recorded by TLSOptions.Tap: each recording opens
// decrypted, and a failed handshake says why it failed.
func TestTap(t *testing.T) {
	testenv.NeedHost(t)
	ca, err := pki.NewAuthority(pki.Template{CommonName: "capture test"})
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(pki.Template{CommonName: "server.test", DNSNames: []string{"server.test"}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := id.KeyDER()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, version := range []string{tlsio.TLSv12, tlsio.TLSv13} {
		recorders := map[string]*Recorder{}
		for _, role := range []string{"server", "client", "failed"} {
			if recorders[role], err = New(Options{}); err != nil {
				t.Fatal(err)
			}
		}
		ln, err := tlsio.Listen(ctx, tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{
			ServerCertificate: [][]byte{id.DER()}, ServerKey: [][]byte{key}, MaximumVersion: version, Tap: recorders["server"].Tap,
		})
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() {
			c, err := ln.Accept()
			if err == nil {
				defer c.Close()
				if _, err = io.ReadFull(c, make([]byte, len(request))); err == nil {
					_, err = io.WriteString(c, response)
				}
			}
			served <- err
		}()
		options := tlsio.TLSOptions{Host: "server.test", CA: [][]byte{ca.DER()}, Tap: recorders["client"].Tap}
		c, err := tlsio.Dial(ctx, tlsio.HostNetwork{}, ln.Addr().String(), options)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(limit))
		io.WriteString(c, request)
		if got, err := io.ReadAll(c); err != nil || string(got) != response {
			t.Errorf("%q, %v", got, err)
		}
		c.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		options.Host, options.Tap = "other.test", recorders["failed"].Tap
		if _, err := tlsio.Dial(ctx, tlsio.HostNetwork{}, ln.Addr().String(), options); err == nil {
			t.Error("a wrong name was taken")
		}
		ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		for _, role := range []string{"server", "client"} {
			file := save(t, recorders[role])
			got := tshark(t, file, "-Y", "http", "-T", "fields", "-e", "http.request.uri", "-e", "http.response.code", "-e", "tcp.srcport")
			lines := strings.Split(got, "\n")
			if len(lines) != 3 || !strings.HasPrefix(lines[0], "/status\t\t") || lines[1] != "\t200\t"+port {
				t.Errorf("%s, %s: %q", version, role, got)
			}
			if bad := tshark(t, file, "-Y", "tcp.checksum.status == 0 || tcp.analysis.flags || _ws.malformed"); bad != "" {
				t.Errorf("%s, %s: Wireshark complains:\n%s", version, role, bad)
			}
		}
		got := tshark(t, save(t, recorders["failed"]), "-Y", "tcp.flags.reset == 1", "-T", "fields", "-e", "frame.comment")
		if !strings.Contains(got, "other.test") {
			t.Errorf("%s: the recording of a failure says %q", version, got)
		}
	}
}
