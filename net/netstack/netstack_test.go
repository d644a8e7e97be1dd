package netstack_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// limit is generous: tests share slow machines.
const limit = 60 * time.Second

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// testLog sends log lines to the test's output.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

const (
	addrA = "10.0.2.15"
	addrB = "10.0.2.2"
)

// pair returns two stacks with static addresses, joined by a wire.
func pair(t testing.TB, o nictest.WireOptions) (a, b *netstack.Stack) {
	return pairConfig(t, o, netstack.Config{NoIPv6: true}, netstack.Config{NoIPv6: true})
}

func pairConfig(t testing.TB, o nictest.WireOptions, ca, cb netstack.Config) (a, b *netstack.Stack) {
	t.Helper()
	da, db := nictest.Pipe(o)
	ca.Address = netip.MustParsePrefix(addrA + "/24")
	ca.Gateway = netip.MustParseAddr(addrB)
	cb.Address = netip.MustParsePrefix(addrB + "/24")
	return open(t, da, ca), open(t, db, cb)
}

func open(t testing.TB, d nic.Device, c netstack.Config) *netstack.Stack {
	t.Helper()
	if c.Log == nil {
		c.Log = testLog(t)
	}
	s, err := netstack.Open(testContext(t), d, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// connect returns the two ends of a TCP connection.
func connect(t testing.TB, from, to *netstack.Stack, host string) (dialed, accepted *netstack.Conn) {
	t.Helper()
	l, err := to.Listen(testContext(t), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := from.DialContext(testContext(t), "tcp", net.JoinHostPort(host, port))
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); p.Close() })
	return c.(*netstack.Conn), p.(*netstack.Conn)
}
