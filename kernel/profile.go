package kernel

import "unsafe"

// profile is ITIMER_PROF: it sends SIGPROF to whichever thread runs, each time that
// the processor has been busy for a while. Go's CPU profiles are made of what these
// signals interrupt. Its times are ticks of the processor being busy, which is all
// ticks but those of idle: a profile is of what was done, not of waiting.
//
// What falls due in the kernel is sent on the way out of it, so the time of a system
// call counts as that of the instruction which makes it.
//
// The timers of single threads (timer_create) are not there. Go's runtime then takes
// this one for all, which on one processor tells it the same.
type profile struct {
	due    uint64 // 0: none
	period uint64 // 0: once
}

const (
	itimerProf = 2

	// minProfile is the shortest time between two signals, in ns: Linux has its tick
	// for that.
	minProfile = 10_000
)

// itimerval is Linux's struct itimerval, in seconds and microseconds.
type itimerval struct {
	intervalSec, intervalUsec int32
	valueSec, valueUsec       int32
}

// busyTicks is the clock of profiles.
func (k *Kernel) busyTicks() uint64 { return k.now() - k.stats.IdleTicks }

func (k *Kernel) setitimer(which, new, old uint32) int32 {
	if which != itimerProf {
		return noTimer(which)
	}
	var p profile
	if new != 0 { // as on Linux, without it the timer stops
		var v itimerval
		if !k.copyIn(unsafe.Pointer(&v), new, uint32(unsafe.Sizeof(v))) {
			return EFAULT
		}
		var ok1, ok2 bool
		p.period, ok1 = k.profileTicks(v.intervalSec, v.intervalUsec)
		p.due, ok2 = k.profileTicks(v.valueSec, v.valueUsec)
		if !ok1 || !ok2 {
			return EINVAL
		}
	}
	if old != 0 {
		if e := k.getitimer(which, old); e != 0 {
			return e
		}
	}
	if p.due != 0 {
		p.due += k.busyTicks()
	}
	k.profile = p
	return 0
}

func (k *Kernel) getitimer(which, at uint32) int32 {
	if which != itimerProf {
		return noTimer(which)
	}
	left := uint64(0)
	if due := k.profile.due; due != 0 {
		left = 1
		if now := k.busyTicks(); due > now {
			left = due - now
		}
	}
	var v itimerval
	v.intervalSec, v.intervalUsec = k.timeval(k.profile.period)
	v.valueSec, v.valueUsec = k.timeval(left)
	if !k.copyOut(at, unsafe.Pointer(&v), uint32(unsafe.Sizeof(v))) {
		return EFAULT
	}
	return 0
}

// profileTicks reads a struct timeval of a profile.
func (k *Kernel) profileTicks(sec, usec int32) (ticks uint64, ok bool) {
	if sec < 0 || usec < 0 || usec >= 1e6 {
		return 0, false
	}
	if sec == 0 && usec == 0 {
		return 0, true
	}
	return k.ticks(max(uint64(sec)*1e9+uint64(usec)*1e3, minProfile)) + 1, true
}

// timeval is a struct timeval: rounded down, but a time that is left is never none.
func (k *Kernel) timeval(ticks uint64) (sec, usec int32) {
	if ticks == 0 {
		return 0, 0
	}
	us := max(k.nanoseconds(ticks)/1e3, 1)
	return int32(us / 1e6), int32(us % 1e6)
}

// noTimer refuses ITIMER_REAL and ITIMER_VIRTUAL, which are not there, and what is no
// timer at all.
func noTimer(which uint32) int32 {
	if which < itimerProf {
		return ENOSYS
	}
	return EINVAL
}

// sample sends SIGPROF if it is due. A thread that holds the signal back is running
// its handler: were the signal kept for it, a handler that takes longer than the period
// would never return to the program. So that time is not in the profile.
func (k *Kernel) sample() {
	p := &k.profile
	if p.due == 0 || k.cur == none {
		return
	}
	now := k.busyTicks()
	if now < p.due {
		return
	}
	if p.period == 0 {
		p.due = 0
	} else {
		p.due = now + p.period
	}
	if k.threads[k.cur].sigMask&sigBit(sigPROF) == 0 {
		k.send(k.cur, sigPROF, siKernel)
	}
}
