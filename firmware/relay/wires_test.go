package relay

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/internal/simnet"
	"ingot.dev/net/inet"
)

// between is the network of a relay that clients reach over one wire, and that reaches
// servers over another.
type between struct {
	inet.Network              // to listen
	out          inet.Network // to dial
}

func (b between) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return b.out.DialContext(ctx, network, address)
}

func (b between) ListenAdmit(ctx context.Context, network, address string, admit func(netip.AddrPort) bool) (net.Listener, error) {
	return b.Network.(interface {
		ListenAdmit(context.Context, string, string, func(netip.AddrPort) bool) (net.Listener, error)
	}).ListenAdmit(ctx, network, address, admit)
}

// SoakVar is how long TestBadWires lasts, by the clock of where it runs; an emulated
// board's can be faster than time.
const SoakVar = "INGOT_RELAY_SOAK"

// TestBadWires: over links with 1 % of loss on both sides, reordering and duplication,
// 100 connections at once through a relay carry every byte, in both directions. That
// lasts a second here; qemu/suites lets it last ten minutes, on a board whose clock
// counts instructions.
func TestBadWires(t *testing.T) {
	const conns, chunks = 100, 20
	lasts := time.Second
	if text := os.Getenv(SoakVar); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		lasts = 100 * time.Millisecond
	}
	wire := func(seed uint64) *simnet.Network {
		n, err := simnet.Open(t.Context(), nictest.WireOptions{Seed: seed, Loss: 0.01, Reorder: 0.01, Duplicate: 0.01,
			Delay: 200 * time.Microsecond, Jitter: 200 * time.Microsecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	front, back := wire(1), wire(2)

	// The server echoes, and its peer compares the hash of what came back.
	l, err := back.Server.Listen(t.Context(), "tcp", ":1883")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, func(c net.Conn) {
		io.Copy(c, c)
		c.(halves).CloseWrite()
	})
	r := servicetest.New(t)
	r.Net = between{front.Server, back.Client}
	service, err := Terminate(TerminateOptions{
		Options: endpoint.Options{Listen: ":8883", HandshakeTimeout: 5 * time.Minute, StallTimeout: endpoint.Off},
		To:      simnet.ServerAddress + ":1883", ConnectTimeout: 5 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Serve(t, service)

	var all sync.WaitGroup
	var mu sync.Mutex
	total := 0
	shaking := make(chan struct{}, 8) // no more handshakes at once than a board can do in time
	for i := range conns {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0x50ac))
			shaking <- struct{}{}
			raw, err := front.Client.DialContext(t.Context(), "tcp", simnet.ServerAddress+":8883")
			if err != nil {
				<-shaking
				t.Error(err)
				return
			}
			c := tls.Client(raw, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
			defer c.Close()
			err = c.Handshake()
			<-shaking
			if err != nil {
				t.Error(err)
				return
			}
			sent, sum := 0, sha256.New()
			both := make(chan error, 1)
			go func() {
				defer close(both)
				for range chunks {
					chunk := make([]byte, 1+random.IntN(5_000))
					for j := range chunk {
						chunk[j] = byte(random.Uint32())
					}
					sum.Write(chunk)
					sent += len(chunk)
					if _, err := c.Write(chunk); err != nil {
						both <- err
						return
					}
					time.Sleep(time.Duration(random.Int64N(int64(2 * lasts / chunks))))
				}
				if err := c.CloseWrite(); err != nil {
					both <- err
				}
			}()
			back := sha256.New()
			n, err := io.Copy(back, c)
			if e := <-both; e != nil {
				t.Errorf("connection %d: %v", i, e)
			}
			if err != nil || int(n) != sent || !equal(sum, back) {
				t.Errorf("connection %d: of %d bytes %d came back, the same: %v, %v", i, sent, n, equal(sum, back), err)
			}
			mu.Lock()
			total += sent
			mu.Unlock()
		})
	}
	all.Wait()
	t.Logf("%d connections, %d bytes each way in %v; front %v; back %v", conns, total, lasts, front, back)
}

func equal(a, b hash.Hash) bool { return string(a.Sum(nil)) == string(b.Sum(nil)) }
