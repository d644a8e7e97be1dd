package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/firmware"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/jsonmsg"
)

// patience is for what takes a moment: much more than it does anywhere.
const patience = time.Minute

// collect serves at address like the collector and passes the numbers of the reports on.
// It returns where it listens and what ends it.
func collect(t *testing.T, address string, ca *certstest.CA, id *certstest.Identity, seqs chan<- uint64) (string, func()) {
	t.Helper()
	server, err := jsonmsg.NewServer(jsonmsg.ServerOptions{
		TLS: tlsio.TLSOptions{
			ServerCertificate: [][]byte{id.DER}, ServerKey: [][]byte{id.KeyDER},
			ClientAuth: tlsio.ClientAuthRequire, CA: [][]byte{ca.DER()},
		},
		NoPassword: true,
		OnRequest: func(_ *jsonmsg.Server, _ uint64, body json.RawMessage, answer *jsonmsg.Responder) {
			r, err := jsonmsg.Decode[report](body, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if answer.Send(struct{}{}) == nil {
				seqs <- r.Seq
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen(t.Context(), tlsio.HostNetwork{}, address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	return l.Addr().String(), func() {
		server.Shutdown(context.WithoutCancel(t.Context()))
		if err := <-ended; !errors.Is(err, jsonmsg.ErrServerClosed) {
			t.Error(err)
		}
	}
}

// start runs the sensor with a store until the test ends.
func start(t *testing.T, ca *certstest.CA, address string) {
	t.Helper()
	t.Setenv("COLLECTOR", address)
	t.Setenv("INTERVAL", "100ms")
	store := certstest.Tree{}
	store.AddAnchor("", ca)
	store.AddIdentity("client", ca.Issue(certstest.Template{Client: true, CommonName: "sensor 7"}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- firmware.Run(ctx, firmware.Config{Certs: store.FS(), Services: []firmware.Service{{Name: "sensor", Run: run}}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func next(t *testing.T, seqs <-chan uint64) uint64 {
	t.Helper()
	select {
	case n := <-seqs:
		return n
	case <-time.After(patience):
		t.Fatal("no report comes")
		return 0
	}
}

// What is measured while the collector is away arrives when it is back, in order.
func TestCollectorGoesAway(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	id := ca.Issue(certstest.Template{IPs: []string{"127.0.0.1"}})
	seqs := make(chan uint64, 10*maxQueue)
	address, stop := collect(t, "127.0.0.1:0", ca, id, seqs)
	start(t, ca, address)
	last := uint64(0)
	until := func(n uint64) {
		for last < n {
			// One whose answer was lost comes again.
			seq := next(t, seqs)
			if seq > last+1 {
				t.Fatalf("report %d follows %d", seq, last)
			}
			last = max(last, seq)
		}
	}
	until(3)
	stop()
	_, stop = collect(t, address, ca, id, seqs)
	defer stop()
	until(last + uint64(len(seqs)) + 3)
}

// A collector of another authority gets nothing.
func TestStranger(t *testing.T) {
	ca, other := certstest.NewCA(t, certstest.Template{}), certstest.NewCA(t, certstest.Template{})
	seqs := make(chan uint64, 10*maxQueue)
	refused := make(chan error, 1)
	id := other.Issue(certstest.Template{IPs: []string{"127.0.0.1"}})
	l, err := tlsio.Listen(t.Context(), tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{
		ServerCertificate: [][]byte{id.DER}, ServerKey: [][]byte{id.KeyDER},
		ClientAuth: tlsio.ClientAuthRequire, CA: [][]byte{ca.DER()},
		OnRefused: func(_ net.Addr, err error) {
			select {
			case refused <- err:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
			seqs <- 0
		}
	}()
	start(t, ca, l.Addr().String())
	select {
	case err := <-refused:
		t.Log(err)
	case <-seqs:
		t.Error("the sensor trusts a stranger")
	case <-time.After(patience):
		t.Error("nothing happens")
	}
}
