package enet_test

import (
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"ingot.dev/board/driver/enet"
	"ingot.dev/board/driver/enet/enetmodel"
)

// instant is a controller that takes no time, so that benchmarks show what the
// driver takes: it fills every receive descriptor it gets, and has sent
// whatever it is given. The model stands behind it for the start.
type instant struct {
	*enetmodel.Model
	rx, tx []*uint32 // status words
	length uint32
}

const (
	benchEmpty = 1 << 31
	benchWrap  = 1 << 29
	benchLast  = 1 << 27
)

func (h *instant) Read32(off uint32) uint32 {
	if off == 0x014 && h.tx != nil {
		return 0
	}
	return h.Model.Read32(off)
}

func (h *instant) Write32(off, v uint32) {
	switch {
	case off == 0x010 && h.rx != nil:
		for _, p := range h.rx {
			if s := atomic.LoadUint32(p); s&benchEmpty != 0 {
				atomic.StoreUint32(p, s&benchWrap|benchLast|h.length)
			}
		}
	case off == 0x014 && h.tx != nil:
		for _, p := range h.tx {
			if s := atomic.LoadUint32(p); s&benchEmpty != 0 {
				atomic.StoreUint32(p, s&^benchEmpty)
			}
		}
	default:
		h.Model.Write32(off, v)
	}
}

// take takes the rings over from the model.
func (h *instant) take(length uint32) {
	mem, phys := h.DMA()
	words := func(reg uint32) (ring []*uint32) {
		for off := h.Model.Read32(reg) - phys; ; off += 32 {
			p := (*uint32)(unsafe.Pointer(&mem[off]))
			ring = append(ring, p)
			if *p&benchWrap != 0 {
				return ring
			}
		}
	}
	h.rx, h.tx, h.length = words(0x180), words(0x184), length+4
	h.Write32(0x010, 1<<24)
}

func openInstant(t testing.TB, length uint32) *enet.Driver {
	h := &instant{Model: newModel(t, enetmodel.Options{})}
	d, err := enet.New(h, enet.Options{Log: quiet, LinkInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	// What is sent are TCP segments; they stay in the buffers.
	tcp := packet{proto: 6, payload: segment(6, 1480)}.frame()
	for slot := d.TxSlot(); slot != nil; slot = d.TxSlot() {
		d.CommitTx(copy(slot, tcp))
	}
	d.FlushTx()
	h.take(length)
	return d
}

func receiveAll(t testing.TB, d *enet.Driver) (n int) {
	if err := d.WaitRx(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, ok := d.NextRx(); !ok || n == 64 {
			break
		}
		n++
	}
	d.ReleaseRx()
	return n
}

func sendBurst(t testing.TB, d *enet.Driver) int {
	const burst = 43
	for range burst {
		if d.TxSlot() == nil {
			t.Fatal("no slot")
		}
		d.CommitTx(1514)
	}
	d.FlushTx()
	return burst
}

func TestHotPathsDontAllocate(t *testing.T) {
	d := openInstant(t, 1514)
	if n := testing.AllocsPerRun(100, func() { receiveAll(t, d) }); n != 0 {
		t.Errorf("%v allocations to receive a batch", n)
	}
	if n := testing.AllocsPerRun(100, func() { sendBurst(t, d) }); n != 0 {
		t.Errorf("%v allocations to send a burst", n)
	}
	d, m := single(t, enetmodel.Options{})
	in := frame(60, 1)
	if n := testing.AllocsPerRun(100, func() {
		go m.Inject(in)
		receiveAll(t, d)
	}); n > 4 { // the model's own, and the goroutine
		t.Errorf("%v allocations to wait for a frame", n)
	}
}

// BenchmarkReceive shows the driver's own time per received frame.
func BenchmarkReceive(b *testing.B) {
	d := openInstant(b, 1514)
	b.ReportAllocs()
	b.SetBytes(1514)
	for n := 0; n < b.N; {
		n += receiveAll(b, d)
	}
}

// BenchmarkTransmit shows the driver's own time per sent frame.
func BenchmarkTransmit(b *testing.B) {
	d := openInstant(b, 1514)
	b.ReportAllocs()
	b.SetBytes(1514)
	for n := 0; n < b.N; {
		n += sendBurst(b, d)
	}
}
