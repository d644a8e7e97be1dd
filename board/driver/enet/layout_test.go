package enet

import "testing"

func TestChooseLayout(t *testing.T) {
	for _, tt := range []struct {
		size   int
		o      Options
		rx, tx int // 0: an error
	}{
		{size: 512 << 10, rx: 128, tx: 64},
		{size: 1 << 20, rx: 256, tx: 64},
		{size: 16 << 20, rx: 256, tx: 64},
		{size: 400 << 10, rx: 128, tx: 64},
		{size: 256 << 10, rx: 64, tx: 32},
		{size: 64 << 10, rx: 16, tx: 8},
		{size: 32 << 10},
		{size: 0},
		{size: 512 << 10, o: Options{RxRing: 16}, rx: 16, tx: 64},
		{size: 512 << 10, o: Options{TxRing: 8}, rx: 128, tx: 8},
		{size: 512 << 10, o: Options{TxRing: 128}},
		{size: 512 << 10, o: Options{RxRing: 128, TxRing: 64}, rx: 128, tx: 64},
		{size: 512 << 10, o: Options{RxRing: 256, TxRing: 64}},
		{size: 512 << 10, o: Options{RxRing: 3}},
		{size: 512 << 10, o: Options{TxRing: -8}},
	} {
		l, err := chooseLayout(tt.size, tt.o)
		if (err != nil) != (tt.rx == 0) {
			t.Errorf("%d bytes, %+v: error %v", tt.size, tt.o, err)
			continue
		}
		if err != nil {
			continue
		}
		if l.rx != tt.rx || l.tx != tt.tx {
			t.Errorf("%d bytes, %+v: rings of %d and %d, want %d and %d", tt.size, tt.o, l.rx, l.tx, tt.rx, tt.tx)
		}
		if l.size() > tt.size || l.rxBuffers()%alignment != 0 || l.txRing()%alignment != 0 || l.txBuffers()+l.tx*bufferSize != l.size() {
			t.Errorf("%d bytes, %+v: %d bytes used, buffers at %#x and %#x", tt.size, tt.o, l.size(), l.rxBuffers(), l.txBuffers())
		}
	}
}

func FuzzChooseLayout(f *testing.F) {
	f.Add(512<<10, 0, 0)
	f.Add(1<<20, 64, 8)
	f.Fuzz(func(t *testing.T, size, rx, tx int) {
		if size < 0 || size > 1<<30 || rx > 1<<16 || tx > 1<<16 {
			return
		}
		l, err := chooseLayout(size, Options{RxRing: rx, TxRing: tx})
		if err != nil {
			return
		}
		for _, n := range []int{l.rx, l.tx} {
			if n < minRing || n&(n-1) != 0 {
				t.Errorf("a ring of %d", n)
			}
		}
		if l.size() > size {
			t.Errorf("%d bytes used of %d", l.size(), size)
		}
	})
}
