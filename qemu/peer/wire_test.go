package peer

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/net/netstack"
)

// plugIn is QEMU's part: it connects to where the arguments say.
func plugIn(t *testing.T, w *Wire) net.Conn {
	t.Helper()
	args, err := w.Args("")
	if err != nil {
		t.Fatal(err)
	}
	_, addr, ok := strings.Cut(args[len(args)-1], "connect=")
	if !ok {
		t.Fatalf("no address in %q", args)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestWire talks to another stack at the machine's end.
func TestWire(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if !slices.Contains(w.Env(), "INGOT_ADDR=10.0.2.15/24") {
		t.Errorf("settings: %q", w.Env())
	}
	guest, err := netstack.Open(ctx, newEnd(plugIn(t, w), net.HardwareAddr{2, 0, 0, 0, 0, 9}, 0), netstack.Config{
		Address: netip.MustParsePrefix(Guest + prefix), NoIPv6: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	host, err := w.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	l, err := guest.Listen(ctx, "tcp", ":8443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	c, err := host.DialContext(ctx, "tcp", Guest+":8443")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go io.WriteString(c, "hello\n")
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestNobodyPluggedIn(t *testing.T) {
	w, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	w.Close()
	if _, err := w.Args("no such board"); err == nil {
		t.Error("a board that there isn't")
	}
}

// TestUnplugged: a wire that ends says so, and so does one with nonsense on it.
func TestUnplugged(t *testing.T) {
	for name, end := range map[string]func(net.Conn){
		"gone":       func(c net.Conn) { c.Close() },
		"half":       func(c net.Conn) { c.Write([]byte{0, 0, 0, 60, 1, 2, 3}); c.Close() },
		"impossible": func(c net.Conn) { c.Write([]byte{0, 1, 0, 0}) },
	} {
		w, err := Listen()
		if err != nil {
			t.Fatal(err)
		}
		theirs := plugIn(t, w)
		ours, err := w.listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		e := newEnd(ours, net.HardwareAddr{2, 0, 0, 0, 0, 1}, 0)
		end(theirs)
		if err := e.WaitRx(); err == nil || errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
		e.Close()
		theirs.Close()
		w.Close()
	}
}
