package kernel

// timers is a heap of the threads that wait with a deadline, earliest first. A
// thread has one timer at most, so the heap is as large as the thread table and
// starting a timer can't fail.
type timers struct {
	heap [MaxThreads]int16
	n    int16
}

// startTimer wakes thread i, which must have none running, at the given tick.
func (k *Kernel) startTimer(i int16, deadline uint64) {
	h := &k.timers
	k.threads[i].deadline = deadline
	h.n++
	k.up(h.n-1, i)
}

func (k *Kernel) stopTimer(i int16) {
	pos := k.threads[i].timer
	if pos == none {
		return
	}
	k.threads[i].timer = none
	h := &k.timers
	h.n--
	last := h.heap[h.n]
	if last == i {
		return
	}
	if pos > 0 && k.threads[last].deadline < k.threads[h.heap[(pos-1)/2]].deadline {
		k.up(pos, last)
	} else {
		k.down(pos, last)
	}
}

// up places thread i at pos or above it.
func (k *Kernel) up(pos, i int16) {
	h := &k.timers
	at := k.threads[i].deadline
	for pos > 0 {
		parent := (pos - 1) / 2
		p := h.heap[parent]
		if k.threads[p].deadline <= at {
			break
		}
		h.heap[pos] = p
		k.threads[p].timer = pos
		pos = parent
	}
	h.heap[pos] = i
	k.threads[i].timer = pos
}

// down places thread i at pos or below it.
func (k *Kernel) down(pos, i int16) {
	h := &k.timers
	at := k.threads[i].deadline
	for {
		c := 2*pos + 1
		if c >= h.n {
			break
		}
		if c+1 < h.n && k.threads[h.heap[c+1]].deadline < k.threads[h.heap[c]].deadline {
			c++
		}
		if at <= k.threads[h.heap[c]].deadline {
			break
		}
		h.heap[pos] = h.heap[c]
		k.threads[h.heap[pos]].timer = pos
		pos = c
	}
	h.heap[pos] = i
	k.threads[i].timer = pos
}

// expire wakes the threads whose deadline has come.
func (k *Kernel) expire() {
	now := k.now()
	for k.timers.n > 0 {
		i := k.timers.heap[0]
		t := &k.threads[i]
		if t.deadline > now {
			return
		}
		result := int32(0) // a sleep is over
		switch t.wait {
		case waitFutex:
			result = ETIMEDOUT
		case waitPoll:
			t.timedOut = true // the system call will see it when it runs again
		}
		k.wake(i, result, true)
	}
}

// armTimer sets the one hardware timer to what comes next: the earliest deadline,
// the end of the running thread's slice if others want its place, or the next sample
// of a profile. With none of them, there is no tick.
func (k *Kernel) armTimer() {
	at := ^uint64(0)
	if k.timers.n > 0 {
		at = k.threads[k.timers.heap[0]].deadline
	}
	if k.cur != none && k.anyReady() {
		at = min(at, k.sliceEnd)
	}
	if k.cur != none && k.profile.due != 0 {
		at = min(at, k.profile.due+k.stats.IdleTicks)
	}
	k.setTimer(at)
}

func (k *Kernel) sleep(ns uint64) {
	if ns == 0 {
		return
	}
	k.threads[k.cur].R[0] = 0
	k.startTimer(k.cur, k.deadlineIn(ns))
	k.block(waitSleep)
}

// deadlineIn is the tick that comes ns from now, or the end of time.
func (k *Kernel) deadlineIn(ns uint64) uint64 {
	if ns > forever {
		ns = forever
	}
	return k.now() + k.ticks(ns) + 1
}

const forever = 1<<63 - 1 // ns; 292 years: as a time of day, 2262

// timespec reads a struct timespec at va: 32 or 64-bit fields.
func (k *Kernel) timespec(va uint32, wide bool) (ns uint64, errno errno) {
	var sec, nsec uint64
	var a, b, c, d uint32
	ok := false
	if wide {
		var ok1, ok2, ok3, ok4 bool
		a, ok1 = k.getWord(va)
		b, ok2 = k.getWord(va + 4)
		c, ok3 = k.getWord(va + 8)
		d, ok4 = k.getWord(va + 12)
		ok = ok1 && ok2 && ok3 && ok4
		sec, nsec = uint64(b)<<32|uint64(a), uint64(d)<<32|uint64(c)
	} else {
		var ok1, ok2 bool
		a, ok1 = k.getWord(va)
		c, ok2 = k.getWord(va + 4)
		ok = ok1 && ok2
		sec, nsec = uint64(int64(int32(a))), uint64(int64(int32(c)))
	}
	if !ok {
		return 0, EFAULT
	}
	if int64(sec) < 0 || nsec >= 1e9 {
		return 0, EINVAL
	}
	if sec >= forever/1_000_000_000 {
		return forever, 0
	}
	return sec*1e9 + nsec, 0
}
