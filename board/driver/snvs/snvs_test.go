package snvs

import (
	"errors"
	"testing"
	"time"
)

// A model of the SRTC. Looks take time: the counter goes on between them.
type model struct {
	t       *testing.T
	control uint32
	pending uint32 // control, some looks later
	delay   int
	count   uint64
	every   int // looks in one count; 0 if it doesn't go on
	looks   int
	dead    bool // it reads 0, as in QEMU
	stuck   bool // control never changes
	closed  bool
}

func (m *model) tick() {
	if m.delay > 0 {
		if m.delay--; m.delay == 0 {
			m.control = m.pending
		}
	}
	m.looks++
	if m.control&lpcrRun != 0 && m.every > 0 && m.looks%m.every == 0 {
		m.count++
	}
}

func (m *model) Read32(off uint32) uint32 {
	if m.dead {
		return 0
	}
	m.tick()
	switch off {
	case lpcr:
		return m.control
	case lpsrtcmr:
		return uint32(m.count>>32) & 0x7fff
	case lpsrtclr:
		return uint32(m.count)
	}
	m.t.Errorf("read of %#x", off)
	return 0
}

func (m *model) Write32(off, v uint32) {
	if m.dead {
		return
	}
	m.tick()
	switch off {
	case lpcr:
		if v&^lpcrRun != m.control&^lpcrRun {
			m.t.Errorf("control is set to %#x, it was %#x", v, m.control)
		}
		if !m.stuck {
			m.pending, m.delay = v, 5
		}
	case lpsrtcmr, lpsrtclr:
		if m.control&lpcrRun != 0 {
			m.t.Error("the counter is written while it runs")
		}
		if off == lpsrtcmr {
			m.count = m.count&0xffffffff | uint64(v&0x7fff)<<32
		} else {
			m.count = m.count&^0xffffffff | uint64(v)
		}
	default:
		m.t.Errorf("write to %#x", off)
	}
}

func (m *model) Close() error { m.closed = true; return nil }

func TestSetAndNow(t *testing.T) {
	m := &model{t: t, control: 0x20} // a bit that is somebody else's
	c := New(m)
	if now, err := c.Now(); !errors.Is(err, ErrNotSet) {
		t.Fatalf("at first: %v, %v", now, err)
	}
	for _, want := range []time.Time{
		time.Date(2026, 11, 22, 10, 30, 0, 500_000_000, time.UTC),
		time.Unix(0, 0),
		time.Date(2099, 12, 31, 23, 59, 59, 999_990_000, time.UTC),
	} {
		if err := c.Set(want); err != nil {
			t.Fatal(err)
		}
		got, err := c.Now()
		if off := want.Sub(got); err != nil || off < 0 || off > time.Second/perSecond {
			t.Errorf("%v after %v was set: %v", got, want, err)
		}
	}
	m.every = 1
	if now, err := c.Now(); !errors.Is(err, ErrStuck) {
		t.Errorf("looks that never agree: %v, %v", now, err)
	}
	// The lower half runs over between looks at the two halves, whenever that is.
	for phase := range 40 {
		m.control, m.count, m.every, m.looks = lpcrRun, 0x1_ffff_ffff, 20, phase
		got, err := c.Now()
		if want := time.Unix(0x2_0000_0000/perSecond, 0); err != nil || want.Sub(got).Abs() > 2*time.Second/perSecond {
			t.Errorf("phase %d: %v, want %v, %v", phase, got, want, err)
		}
	}
	if err := c.Close(); err != nil || !m.closed {
		t.Errorf("%v", err)
	}
}

func TestBadClock(t *testing.T) {
	if now, err := New(&model{t: t, dead: true}).Now(); !errors.Is(err, ErrNotSet) {
		t.Errorf("a clock that isn't there: %v, %v", now, err)
	}
	if err := New(&model{t: t, dead: true}).Set(time.Unix(1e9, 0)); !errors.Is(err, ErrStuck) {
		t.Errorf("a clock that isn't there is set: %v", err)
	}
	if err := New(&model{t: t, control: lpcrRun, stuck: true}).Set(time.Unix(1e9, 0)); !errors.Is(err, ErrStuck) {
		t.Errorf("a clock that can't be stopped: %v", err)
	}
	if err := New(&model{t: t}).Set(time.Unix(-1, 0)); err == nil {
		t.Error("1969 was set")
	}
}
