package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/firmware"
	"ingot.dev/firmware/bench"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/relay"
	"ingot.dev/qemu"
)

// hosted serves what the benchmark image serves, on the host's network.
func hosted(t *testing.T) *target {
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"localhost"}}))
	ctx, cancel := context.WithCancel(context.Background())
	s, err := firmware.Start(ctx, firmware.Config{Certs: tree.FS(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		group.Wait()
		s.Close()
	})
	addrs := make(map[int]string)
	serve := func(port int, l net.Listener, err error, service *firmware.Service) {
		if err != nil {
			t.Fatal(err)
		}
		addrs[port] = l.Addr().String()
		group.Go(func() {
			if err := s.Serve(ctx, l, service); err != nil {
				t.Error(err)
			}
		})
	}
	const anyPort = "127.0.0.1:0"
	for port, f := range map[int]func(context.Context, net.Conn){
		bench.PortEcho: firmware.Echo, bench.PortHeld: firmware.Echo, bench.PortControl: bench.Control,
		bench.PortTLSSink: bench.Sink, bench.PortTLSSource: bench.Source,
	} {
		service := &firmware.Service{Name: fmt.Sprint(port), Listen: anyPort, Serve: f}
		l, err := s.Listen(ctx, service)
		serve(port, l, err, service)
	}
	for port, f := range map[int]func(context.Context, net.Conn){
		bench.PortSink: bench.Sink, bench.PortSource: bench.Source, bench.PortPlainEcho: bench.Echo,
	} {
		l, err := s.Net.Listen(ctx, "tcp", anyPort)
		serve(port, l, err, &firmware.Service{Name: fmt.Sprint(port), Serve: f})
	}
	for port, to := range map[int]int{bench.PortToSink: bench.PortSink, bench.PortToSource: bench.PortSource} {
		service, err := relay.Terminate(relay.TerminateOptions{
			Options: endpoint.Options{Name: fmt.Sprint(port), Listen: anyPort}, To: addrs[to],
		})
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.Listen(ctx, &service)
		serve(port, l, err, &service)
	}
	return &target{
		dial: func(ctx context.Context, port int) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addrs[port])
		},
		tls: &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"},
	}
}

func TestTransfersHosted(t *testing.T) {
	f := hosted(t)
	for _, secure := range []bool{false, true} {
		for _, n := range []int64{0, 1, 100_000, 3_000_000} {
			if err := f.on(t.Context(), sinkService, secure, func(c halfCloser) error { return sendAll(c, n) }); err != nil {
				t.Errorf("send %d, TLS %v: %v", n, secure, err)
			}
			if err := f.on(t.Context(), sourceService, secure, func(c halfCloser) error { return receiveAll(c, n) }); err != nil {
				t.Errorf("receive %d, TLS %v: %v", n, secure, err)
			}
		}
		for _, size := range []int{4, 64, 100_000} {
			if err := f.on(t.Context(), echoService, secure, func(c halfCloser) error {
				took, err := echo(c, size, 10)
				if len(took) != 10 && err == nil {
					t.Errorf("%d echoes of 10", len(took))
				}
				return err
			}); err != nil {
				t.Errorf("echo of %d, TLS %v: %v", size, secure, err)
			}
		}
	}
}

func TestX25519Only(t *testing.T) {
	f := hosted(t)
	for _, tt := range []struct {
		config *tls.Config
		want   tls.CurveID
	}{{f.tls, tls.X25519MLKEM768}, {x25519Only(f.tls), tls.X25519}} {
		c, err := f.secure(t.Context(), bench.PortEcho, tt.config)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().CurveID; got != tt.want {
			t.Errorf("group %v, want %v", got, tt.want)
		}
		c.Close()
	}
}

// All that is measured at the host's speed, with small amounts.
func TestSpeedHosted(t *testing.T) {
	f := hosted(t)
	c, err := f.control(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := &run{client: f.tls, result: new(Result), amounts: amounts{
		rate: time.Millisecond, handshakes: 4, plainBytes: 1e6, tlsBytes: 1e6, echoes: 20, held: []int{3, 6},
	}}
	for _, step := range []func(context.Context, *qemu.Machine, *target, *control) error{
		r.memoryAfterBoot, r.rates, r.handshakeRates, r.transferRates, r.echoTimes, r.memoryHeld,
	} {
		if err := step(t.Context(), nil, f, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{
		"rate.chacha20-poly1305-seal", "rate.p256-sign", "handshake.default", "handshake.x25519", "handshake.resumed",
		"plain.in", "plain.out", "tls.in", "tls.out", "echo.plain.p50", "echo.tls.p50", "echo.tls.p99", "memory.held",
	} {
		if m, ok := r.result.Metric(id); !ok || m.Value <= 0 {
			t.Errorf("%s: %+v", id, m)
		}
	}
	seen := make(map[string]bool)
	for _, m := range r.result.Metrics {
		if seen[m.ID] {
			t.Errorf("%s was measured twice", m.ID)
		}
		seen[m.ID] = true
	}
	var table bytes.Buffer
	if err := r.result.WriteTable(&table); err != nil || !strings.Contains(table.String(), "the cipher alone") {
		t.Errorf("%v\n%s", err, &table)
	}
}

func TestCountHostedHasNoCounters(t *testing.T) {
	f := hosted(t)
	c, err := f.control(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.busyDuring(func() error { return nil }); !errors.Is(err, errNoCounters) {
		t.Errorf("%v", err)
	}
	if err := (&run{result: new(Result)}).relayed(t.Context(), f, c); !errors.Is(err, errNoCounters) {
		t.Errorf("of a relay: %v", err)
	}
}

func TestCancelledTransfer(t *testing.T) {
	f := hosted(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := f.on(ctx, sourceService, false, func(c halfCloser) error { return receiveAll(c, 1<<40) }); err == nil {
		t.Error("a terabyte arrived")
	}
}
