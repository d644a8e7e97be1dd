package netstack_test

import (
	"io"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// held is a port whose receiver waits for the test: what arrives meanwhile is one batch.
type held struct {
	nic.Device
	gate chan struct{} // holds one token while the port is open
}

func newHeld(d nic.Device) *held {
	h := &held{d, make(chan struct{}, 1)}
	h.open()
	return h
}

func (h *held) hold() { <-h.gate }
func (h *held) open() { h.gate <- struct{}{} }

func (h *held) WaitRx() error {
	<-h.gate
	h.open()
	return h.Device.WaitRx()
}

// What came for several connections together is in front of all of their readers before the
// first of them works on it. Otherwise each message waits for all that others compute.
func TestOneTurnForABatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // who reads first is then in front of all others
	da, db := nictest.Pipe(nictest.WireOptions{Offloads: nic.Offloads{TxChecksum: true, RxChecksum: true}})
	gate := newHeld(db)
	a := open(t, da, netstack.Config{Address: netip.MustParsePrefix(addrA + "/24"), NoIPv6: true})
	b := open(t, gate, netstack.Config{Address: netip.MustParsePrefix(addrB + "/24"), NoIPv6: true})

	const n = 16 // on a few lines of what is known there are two
	end := time.Now().Add(limit)
	var from, to [n]*netstack.Conn
	for i := range n {
		from[i], to[i] = connect(t, a, b, addrB)
		from[i].SetDeadline(end)
		to[i].SetDeadline(end)
	}
	var first atomic.Bool
	ready := make(chan int, 1) // how many had something to read when the first one read
	done := make(chan error)
	for i := range n {
		go func() {
			var buf [1]byte
			for {
				if _, err := io.ReadFull(to[i], buf[:]); err != nil {
					done <- err
					return
				}
				if first.CompareAndSwap(true, false) {
					count := 1
					for j := range n {
						if j != i && to[j].Readable() {
							count++
						}
					}
					ready <- count
				}
				if _, err := to[i].Write(buf[:]); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	rounds := 0
	eventually(t, "most messages of a batch in front of their readers", func() bool {
		gate.hold()
		first.Store(true)
		for _, c := range from {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		gate.open()
		count := <-ready
		for _, c := range from {
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		rounds++
		return rounds > 3 && count > n/2 // by then the connections are known
	})
	for _, c := range from {
		c.Close()
	}
	for range n {
		if err := <-done; err != io.EOF {
			t.Error(err)
		}
	}
}
