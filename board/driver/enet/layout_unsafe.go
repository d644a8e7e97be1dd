package enet

import (
	"fmt"
	"unsafe"
)

// alignment of rings and buffers, in bytes. The controller asks for 64 at most
// (RDSR, TDSR, buffers of receive descriptors).
const alignment = 64

// layout says where in DMA memory rings and buffers lie: first the receive
// ring, then the transmit ring, then the receive buffers, then the transmit
// buffers.
type layout struct {
	rx, tx int // frames; powers of two, so that counters may overflow
}

func (l layout) size() int { return (l.rx + l.tx) * (descriptorSize + bufferSize) }

func (l layout) txRing() int    { return l.rx * descriptorSize }
func (l layout) rxBuffers() int { return (l.rx + l.tx) * descriptorSize }
func (l layout) txBuffers() int { return l.rxBuffers() + l.rx*bufferSize }

const (
	minRing   = 8
	maxRx     = 256
	defaultTx = 64
)

// chooseLayout fits rings into size bytes. A burst that fills the transmit ring
// brings about as many acknowledgements, which arrive before anyone looks: so
// the receive ring is at least twice as long.
func chooseLayout(size int, o Options) (layout, error) {
	for _, ring := range []struct {
		name  string
		value int
	}{{"RxRing", o.RxRing}, {"TxRing", o.TxRing}} {
		if v := ring.value; v != 0 && (v < minRing || v&(v-1) != 0) {
			return layout{}, fmt.Errorf("Options.%s is %d, not a power of two from %d", ring.name, v, minRing)
		}
	}
	l := layout{rx: o.RxRing, tx: o.TxRing}
	if l.tx == 0 {
		l.tx = defaultTx
		fits := func() bool {
			if o.RxRing != 0 {
				return l.size() <= size
			}
			return layout{rx: 2 * l.tx, tx: l.tx}.size() <= size
		}
		for l.tx > minRing && !fits() {
			l.tx /= 2
		}
	}
	if l.rx == 0 {
		l.rx = 2 * l.tx
		for l.rx < maxRx && (layout{rx: 2 * l.rx, tx: l.tx}).size() <= size {
			l.rx *= 2
		}
	}
	if l.size() > size {
		return layout{}, fmt.Errorf("%d bytes of DMA memory, rings of %d and %d frames need %d", size, l.rx, l.tx, l.size())
	}
	return l, nil
}

// checkMemory refuses DMA memory that the controller couldn't use.
func checkMemory(mem []byte, phys uint32) error {
	if len(mem) == 0 {
		return fmt.Errorf("no DMA memory")
	}
	if phys%alignment != 0 || uintptr(unsafe.Pointer(&mem[0]))%alignment != 0 {
		return fmt.Errorf("DMA memory at %#x, mapped at %p, is not aligned to %d bytes", phys, &mem[0], alignment)
	}
	return nil
}
