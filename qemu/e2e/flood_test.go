package e2e

import (
	"context"
	"crypto/tls"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"ingot.dev/qemu"
	"ingot.dev/qemu/peer"
)

// wired boots the default firmware at the end of a wire and waits until it listens. What
// it returns connects to its service.
func wired(t *testing.T) (m *qemu.Machine, dial func(context.Context) (net.Conn, error)) {
	t.Helper()
	wire, err := peer.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wire.Close() })
	args, err := wire.Args("")
	if err != nil {
		t.Fatal(err)
	}
	m = start(t, qemu.Config{Env: wire.Env(), ExtraArgs: args})
	network, err := wire.Open(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	if _, err := m.WaitConsole(testContext(t), listening); err != nil {
		t.Fatal(err)
	}
	return m, func(ctx context.Context) (net.Conn, error) {
		return network.DialContext(ctx, "tcp", peer.Guest+":8443")
	}
}

// TestHandshakeFlood: an established connection is served while others do nothing but
// handshakes, or connect and say nothing, until the firmware refuses them, and beyond that;
// afterwards newcomers are served again.
func TestHandshakeFlood(t *testing.T) {
	m, dial := wired(t)
	ctx := testContext(t)
	secure := func(ctx context.Context) (*tls.Conn, error) {
		raw, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		deadline, _ := ctx.Deadline()
		raw.SetDeadline(deadline)
		conn := tls.Client(raw, clientConfig())
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		return conn, nil
	}
	good, err := secure(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()

	flooding, stop := context.WithCancel(ctx)
	var flood sync.WaitGroup
	var shakes, attempts atomic.Int64
	for i := range 8 {
		flood.Go(func() {
			for flooding.Err() == nil {
				attempts.Add(1)
				if i%2 == 0 { // who connects only takes part of what there is, too
					if c, err := dial(flooding); err == nil {
						c.Close()
					}
				} else if c, err := secure(flooding); err == nil {
					shakes.Add(1)
					c.NetConn().Close()
				}
			}
		})
	}
	refused := make(chan error, 1)
	go func() {
		_, err := m.WaitConsole(ctx, regexp.MustCompile(`refused.*too many handshakes`))
		refused <- err
	}()
	var before, after int
	for over := false; after < 50; {
		if err := echo(good, 1000); err != nil {
			t.Errorf("after %d echoes, %d of them since the firmware refuses: %v", before+after, after, err)
			break
		}
		select {
		case err := <-refused:
			if over = true; err != nil {
				t.Errorf("nobody was refused: %v", err)
			}
		default:
		}
		if over {
			after++
		} else {
			before++
		}
	}
	stop()
	flood.Wait()
	t.Logf("%d echoes beside %d handshakes of %d attempts", before+after, shakes.Load(), attempts.Load())
	for {
		c, err := secure(ctx)
		if err == nil {
			err = echo(c, 1000)
			c.Close()
		}
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("nobody is let in after the flood: %v", err)
		}
	}
}
