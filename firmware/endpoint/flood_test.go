package endpoint_test

import (
	"crypto/tls"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/firmware/tally"
	"ingot.dev/internal/testenv"
	"ingot.dev/net/netstack"
)

// An ether is a switch with two ports, and somebody who sends what they like to the
// second one.
type ether struct {
	toSecond, toFirst chan []byte
	second            net.HardwareAddr // its port's address
}

// newEther connects two stacks to a switch.
func newEther(t *testing.T, first, second netstack.Config) (e *ether, a, b *netstack.Stack) {
	t.Helper()
	e = &ether{toSecond: make(chan []byte, 256), toFirst: make(chan []byte, 256)}
	over := make(chan struct{})
	port := func(c netstack.Config, from, to chan []byte) *netstack.Stack {
		own, other := nictest.Pipe(nictest.WireOptions{})
		ended := make(chan struct{})
		go func() { // what the stack sends
			defer close(ended)
			for other.WaitRx() == nil {
				for {
					frame, ok := other.NextRx()
					if !ok {
						break
					}
					select {
					case to <- append([]byte(nil), frame...):
					case <-over:
					}
				}
				other.ReleaseRx()
			}
		}()
		go func() { // what it gets
			for {
				select {
				case frame := <-from:
					put(other, frame)
				case <-over:
					return
				}
			}
		}()
		e.second = own.HardwareAddr()
		c.Log = slog.New(slog.DiscardHandler)
		s, err := netstack.Open(t.Context(), own, c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			s.Close()
			other.Close()
			<-ended
		})
		return s
	}
	a = port(first, e.toFirst, e.toSecond)
	b = port(second, e.toSecond, e.toFirst)
	t.Cleanup(func() { close(over) })
	return e, a, b
}

func put(d nic.Device, frame []byte) {
	for {
		if slot := d.TxSlot(); slot != nil {
			d.CommitTx(copy(slot, frame))
			d.FlushTx()
			return
		}
		if d.WaitTx() != nil {
			return
		}
	}
}

// syn is a request for a connection from anybody to a port of 10.0.2.2.
func syn(to net.HardwareAddr, random *rand.Rand, port int) []byte {
	f := make([]byte, 14+20+20)
	copy(f, to)
	copy(f[6:], []byte{2, 0, 0, 0, 0, 0x66})
	f[12] = 0x08
	ip, tcp := f[14:34], f[34:]
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(ip[2:], 40)
	copy(ip[12:], []byte{198, 18, byte(random.Uint32()), byte(random.Uint32())}) // for benchmarks (RFC 2544)
	copy(ip[16:], []byte{10, 0, 2, 2})
	binary.BigEndian.PutUint16(tcp[0:], uint16(1024+random.IntN(60_000)))
	binary.BigEndian.PutUint16(tcp[2:], uint16(port))
	binary.BigEndian.PutUint32(tcp[4:], random.Uint32())
	tcp[12], tcp[13] = 5<<4, 2
	binary.BigEndian.PutUint16(tcp[14:], 64240)
	nictest.InsertChecksums(f)
	return f
}

// TestSYNFlood: requests for connections that nobody goes on with, from addresses that
// don't exist, keep nobody out, who is connected or who comes, and cost no connection.
func TestSYNFlood(t *testing.T) {
	testenv.NeedHost(t)
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	e, client, server := newEther(t,
		netstack.Config{Address: prefix("10.0.2.15/24"), NoIPv6: true},
		netstack.Config{Address: prefix("10.0.2.2/24"), Gateway: addr("10.0.2.15"), NoIPv6: true})
	r := servicetest.New(t)
	r.Net = server
	service, err := endpoint.Echo(endpoint.Options{Listen: ":8443", MaxConnections: 4, MaxPerAddress: 3, Rate: 100, Burst: 100})
	if err != nil {
		t.Fatal(err)
	}
	r.Serve(t, service)
	dial := func() *tls.Conn {
		t.Helper()
		for limit := time.Now().Add(servicetest.Patience); ; { // a SYN may be lost in the switch
			raw, err := client.DialContext(t.Context(), "tcp", "10.0.2.2:8443")
			if err == nil {
				c := tls.Client(raw, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
				c.SetDeadline(time.Now().Add(servicetest.Patience))
				t.Cleanup(func() { c.Close() })
				if err = c.HandshakeContext(t.Context()); err == nil {
					return c
				}
			}
			if time.Now().After(limit) {
				t.Fatal(err)
			}
		}
	}
	before := dial()
	if !works(before) {
		t.Fatal("the echo doesn't work")
	}
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	start := memory()

	random := rand.New(rand.NewPCG(1, 2))
	const rounds, each = 4, 500
	for range rounds {
		for range each {
			e.toSecond <- syn(e.second, random, 8443)
		}
		if !works(before) {
			t.Fatal("who was there before the flood is not served in it")
		}
		c := dial()
		if !works(c) {
			t.Fatal("who comes in the flood is not served")
		}
		c.Close()
	}
	if grown := int64(memory()) - int64(start); grown > 64<<20 {
		t.Errorf("%d requests cost %d bytes", rounds*each, grown)
	}
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Open.Load() == 1 })
	c := dial()
	if !works(c) || !works(before) {
		t.Error("after the flood nobody is served")
	}
}
