package simnet

import (
	"net"
	"testing"

	"ingot.dev/board/nic/nictest"
)

// opened returns a network that is closed with the test.
func opened(t testing.TB, o nictest.WireOptions) *Network {
	t.Helper()
	n, err := Open(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%+v", o)
			t.Log(n)
		}
		n.Close()
	})
	return n
}

// TestFaultyWiresCarryEverything: whatever happens to frames, TCP delivers each byte
// once, in order.
func TestFaultyWiresCarryEverything(t *testing.T) {
	seeds := 8
	if testing.Short() {
		seeds = 4
	}
	Run(t, seeds, func(t *testing.T, seed uint64) {
		t.Parallel()
		a, b := dialed(t, opened(t, Faults(seed)).Local())
		exchange(t, a, b, seed, 100_000)
	})
}

// TestFaultsHappen checks that seeds draw each fault, and leave each out, somewhere.
func TestFaultsHappen(t *testing.T) {
	var some, none [7]int
	for seed := range uint64(100) {
		o := Faults(seed)
		for i, on := range []bool{o.Loss > 0, o.Duplicate > 0, o.Reorder > 0, o.Corrupt > 0, o.Delay > 0, o.Rate > 0, o.DropWhenFull} {
			if on {
				some[i]++
			} else {
				none[i]++
			}
		}
	}
	for i := range some {
		if some[i] < 10 || none[i] < 10 {
			t.Errorf("fault %d: on %d times, off %d times", i, some[i], none[i])
		}
	}
}

func TestLocalIsOneHost(t *testing.T) {
	n := opened(t, Perfect()).Local()
	l, err := n.Listen(testContext(t), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if host, _, _ := net.SplitHostPort(l.Addr().String()); host != "127.0.0.1" {
		t.Errorf("listens at %v", l.Addr())
	}
	a, b := dialed(t, n)
	for _, addr := range []net.Addr{a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr()} {
		if !addr.(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("%v", addr)
		}
	}
	if n.Client.LinkStats() == n.Server.LinkStats() {
		t.Error("nothing went over the wire")
	}
}

func TestLoopback(t *testing.T) {
	s, err := Loopback(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := dialed(t, s)
	exchange(t, a, b, 1, 1_000_000)
	u, err := s.ListenPacket(testContext(t), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.Close()
}

func TestSeeds(t *testing.T) {
	t.Setenv("INGOT_SEED", "")
	t.Setenv("INGOT_SEEDS", "")
	if got := seeds(t, 3); len(got) != 3 || got[0] != 1 || got[2] != 3 {
		t.Errorf("%v", got)
	}
	t.Setenv("INGOT_SEEDS", "50")
	if got := seeds(t, 3); len(got) != 50 || got[0] == got[1] {
		t.Errorf("%v", got)
	}
	t.Setenv("INGOT_SEED", "77")
	if got := seeds(t, 3); len(got) != 1 || got[0] != 77 {
		t.Errorf("%v", got)
	}
}
