package gpio

import (
	"sync"
	"testing"
)

// A model notes what outputs ever put out.
type model struct {
	t      *testing.T
	regs   map[uint32]uint32
	ones   uint32 // put out so far
	zeros  uint32
	closed bool
}

func (m *model) Read32(off uint32) uint32 { return m.regs[off] }

func (m *model) Write32(off, v uint32) {
	if off != dr && off != gdir {
		m.t.Errorf("write to %#x", off)
	}
	m.regs[off] = v
	m.ones |= m.regs[gdir] & m.regs[dr]
	m.zeros |= m.regs[gdir] &^ m.regs[dr]
}

func (m *model) Close() error { m.closed = true; return nil }

func TestSet(t *testing.T) {
	m := &model{t: t, regs: map[uint32]uint32{dr: 0x8000, gdir: 0x8000}}
	b := New(m)
	b.Set(0x30, true)
	if pins, high := b.Outputs(); pins != 0x8030 || high != 0x8030 {
		t.Errorf("outputs %#x, high %#x", pins, high)
	}
	if m.zeros != 0 {
		t.Errorf("pins %#x were low for a moment", m.zeros)
	}
	b.Set(0x11, false)
	if pins, high := b.Outputs(); pins != 0x8031 || high != 0x8020 {
		t.Errorf("outputs %#x, high %#x", pins, high)
	}
	if m.ones&1 != 0 {
		t.Error("a pin was high for a moment")
	}
	if err := b.Close(); err != nil || !m.closed {
		t.Error(err)
	}
}

func TestConcurrently(t *testing.T) {
	b := New(&model{t: t, regs: map[uint32]uint32{}})
	var users sync.WaitGroup
	for pin := range 32 {
		users.Go(func() {
			for i := range 200 {
				b.Set(1<<pin, i%2 == 0)
			}
			b.Set(1<<pin, pin%3 == 0)
		})
	}
	users.Wait()
	want := uint32(0)
	for pin := 0; pin < 32; pin += 3 {
		want |= 1 << pin
	}
	if pins, high := b.Outputs(); pins != 0xffffffff || high != want {
		t.Errorf("outputs %#x, high %#x, want %#x", pins, high, want)
	}
}
