package kernel

// clock turns the ticks of the generic timer into time.
//
// ns = ticks*mult >> 24 needs no division. mult is exact for 62.5 MHz (QEMU) and
// 8 MHz (i.MX6UL); for 24 MHz the clock is slow by a nanosecond per second.
type clock struct {
	freq  uint32 // Hz
	mult  uint32 // ns per tick, 8.24 fixed point
	perNS uint32 // ticks per ns, 0.32 fixed point, rounded up
	wall  uint64 // what the wall clock said at tick 0, ns since 1970

	page uint32 // physical address of the page that the vDSO reads
	base uint64 // tick at which that page is exact
}

func (k *Kernel) initClock(freq uint32) {
	c := &k.clock
	c.freq = freq
	c.mult = uint32(1e9 << 24 / uint64(freq))
	// From mult and upwards, so that by the clock no wait is too short.
	c.perNS = uint32((1<<56 + uint64(c.mult) - 1) / uint64(c.mult))
}

// nanoseconds converts a number of ticks.
func (k *Kernel) nanoseconds(ticks uint64) uint64 {
	hi, lo := ticks>>32, ticks&(1<<32-1)
	m := uint64(k.clock.mult)
	return hi*m<<8 + lo*m>>24
}

// ticks converts a time in ns, rounding down: one tick more is always enough.
func (k *Kernel) ticks(ns uint64) uint64 {
	hi, lo := ns>>32, ns&(1<<32-1)
	m := uint64(k.clock.perNS)
	return hi*m + lo*m>>32
}

func (k *Kernel) setWall(ns uint64) {
	k.clock.wall = ns - k.nanoseconds(k.now())
	k.updateClockPage()
}

const clockRealtime = 0

// readClock answers clock_gettime; ok is false for clocks that don't exist here.
func (k *Kernel) readClock(id uint32) (ns uint64, ok bool) {
	ns = k.nanoseconds(k.now())
	switch id {
	case clockRealtime, 5, 11: // REALTIME, REALTIME_COARSE, TAI
		return ns + k.clock.wall, true
	case 1, 4, 6, 7: // MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME
		return ns, true
	}
	return 0, false
}

func (k *Kernel) clockGettime(id, ts uint32, wide bool) int32 {
	ns, ok := k.readClock(id)
	if !ok {
		return EINVAL
	}
	return k.putTimespec(ts, ns, wide)
}

func (k *Kernel) putTimespec(ts uint32, ns uint64, wide bool) int32 {
	sec, nsec := ns/1e9, uint32(ns%1e9)
	if wide {
		if k.putWord(ts, uint32(sec)) && k.putWord(ts+4, uint32(sec>>32)) &&
			k.putWord(ts+8, nsec) && k.putWord(ts+12, 0) {
			return 0
		}
		return EFAULT
	}
	if k.putWord(ts, uint32(sec)) && k.putWord(ts+4, nsec) {
		return 0
	}
	return EFAULT
}

func (k *Kernel) clockSettime(id, ts uint32, wide bool) int32 {
	if id != clockRealtime {
		return EINVAL
	}
	ns, errno := k.timespec(ts, wide)
	if errno != 0 {
		return errno
	}
	k.setWall(ns)
	return 0
}

func (k *Kernel) clockGetres(id, ts uint32, wide bool) int32 {
	if _, ok := k.readClock(id); !ok {
		return EINVAL
	}
	if ts == 0 {
		return 0
	}
	return k.putTimespec(ts, k.nanoseconds(1)+1, wide)
}

// The clock page: what __vdso_clock_gettime (vdso_arm.s) computes the time from
// without entering the kernel. seq changes with every update, so that a reader
// that was interrupted by one starts over.
const (
	clockSeq      = 0
	clockMult     = 4
	clockBase     = 8 // tick, 64 bits
	clockMonoSec  = 16
	clockMonoNsec = 20
	clockWallSec  = 24
	clockWallNsec = 28
)

func (k *Kernel) updateClockPage() {
	c := &k.clock
	if c.page == 0 {
		return
	}
	now := k.now()
	mono := k.nanoseconds(now)
	wall := mono + c.wall
	c.base = now
	*k.word(c.page + clockSeq)++
	*k.word(c.page + clockMult) = c.mult
	*k.word(c.page + clockBase) = uint32(now)
	*k.word(c.page + clockBase + 4) = uint32(now >> 32)
	*k.word(c.page + clockMonoSec) = uint32(mono / 1e9)
	*k.word(c.page + clockMonoNsec) = uint32(mono % 1e9)
	*k.word(c.page + clockWallSec) = uint32(wall / 1e9)
	*k.word(c.page + clockWallNsec) = uint32(wall % 1e9)
}

// refreshClock moves the base of the clock page along, so that the vDSO, which
// counts whole seconds by subtraction, never has many to count.
func (k *Kernel) refreshClock() {
	if k.now()-k.clock.base > uint64(k.clock.freq)*4 {
		k.updateClockPage()
	}
}
