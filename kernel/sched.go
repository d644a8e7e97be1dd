package kernel

// Scheduling is round robin with a time slice, and wake-up preemption: a thread
// that an interrupt or a timer wakes runs at once, since what it waited for is
// there now. A thread that another thread wakes waits for its turn: the waker is
// about to wait itself more often than not, and a switch before that costs both of
// them (bytes sent with slices cut to 0.1 ms after such a wake-up took 60 % more
// instructions).
//
// Goroutines go from thread to thread. The one that the receive goroutine is on may have
// had its turn with others, or be woken by a thread, and then waits for a whole slice of the
// one that encrypts without end: with slices of 10 ms, one of 50 TLS echoes did beside a
// stream, and their 99th percentile was 12 ms. With 1.5 ms it is 4.5 ms, and TLS sent takes
// 2 % more instructions; with 1 ms 3.1 ms, and 4 %.
const sliceTime = 1_500_000 // ns

// makeReady puts a thread that waits for nothing any more into the run queue.
func (k *Kernel) makeReady(i int16, now bool) {
	t := &k.threads[i]
	t.state = threadReady
	t.wait = waitNone
	if now {
		k.pushBack(&k.woken, i)
		k.resched = true
		return
	}
	if !k.anyReady() && k.cur != none {
		// Whoever runs had no rival so far, so its slice begins now.
		k.sliceEnd = k.now() + k.ticks(sliceTime)
	}
	k.pushBack(&k.runq, i)
}

// anyReady tells whether somebody wants the place of the running thread.
func (k *Kernel) anyReady() bool { return k.woken.head != none || k.runq.head != none }

// block takes the running thread off the processor until wake.
func (k *Kernel) block(wait uint8) {
	t := &k.threads[k.cur]
	t.state = threadBlocked
	t.wait = wait
	k.resched = true
}

// blockOn puts the running thread into the queue of a file or an epoll instance.
// When it wakes it runs its system call again: the arguments are still in its
// registers, so only the program counter moves back.
func (k *Kernel) blockOn(q *queue, wait uint8, object int16) {
	t := &k.threads[k.cur]
	t.PC -= syscallSize
	t.waitOn = object
	k.pushBack(q, k.cur)
	k.block(wait)
}

// syscallSize is the size of the instruction that enters the kernel.
const syscallSize = 4

// wake ends a thread's wait, whatever for. A futex wait or a sleep ends with the
// given result; the other waits run their system call again.
func (k *Kernel) wake(i int16, result int32, now bool) {
	t := &k.threads[i]
	if t.state != threadBlocked {
		return
	}
	k.stopTimer(i)
	switch t.wait {
	case waitFutex:
		k.remove(&k.futexes[futexBucket(t.futex)], i)
		t.R[0] = uint32(result)
	case waitSleep:
		t.R[0] = uint32(result)
	case waitFile:
		k.remove(&k.files[t.waitOn].waiters, i)
	case waitPoll:
		k.remove(&k.polls[t.waitOn].waiters, i)
	case waitRandom:
		k.remove(&k.random.waiters, i)
	}
	k.stats.Wakeup++
	k.makeReady(i, now)
}

// abort ends a wait that would run its system call again, with a result instead.
func (k *Kernel) abort(i int16, result errno) {
	t := &k.threads[i]
	k.wake(i, 0, false)
	t.PC += syscallSize
	t.R[0] = uint32(result)
	t.again, t.timedOut = false, false
}

// schedule picks the thread that runs next. It returns with k.cur set, waiting
// for an interrupt while nobody is ready.
func (k *Kernel) schedule() {
	prev := k.cur
	if prev != none {
		if t := &k.threads[prev]; t.state == threadRunning {
			k.giveWay(prev, t)
		}
	}
	k.cur = none
	for !k.anyReady() {
		k.idle()
		if k.exited {
			return
		}
	}
	q := &k.woken
	if q.head == none {
		q = &k.runq
	}
	i := q.head
	k.remove(q, i)
	k.cur = i
	k.resched = false
	t := &k.threads[i]
	t.state = threadRunning
	if t.slice == 0 {
		t.slice = k.ticks(sliceTime)
	}
	k.sliceEnd = k.now() + t.slice
	t.slice = 0
	if i != prev {
		k.stats.Switches++
		k.setTLS(t.tls)
	}
}

// giveWay puts the running thread back into the run queue: behind everybody if it
// has had its turn, else in front, where it keeps what is left of its slice, or
// frequent interrupts would hold up the others for ever.
func (k *Kernel) giveWay(i int16, t *Thread) {
	t.state = threadReady
	now := k.now()
	if now >= k.sliceEnd {
		k.pushBack(&k.runq, i)
		return
	}
	t.slice = k.sliceEnd - now
	k.pushFront(&k.runq, i)
}

// idle waits for an interrupt with nothing running.
func (k *Kernel) idle() {
	k.stats.Idles++
	k.armTimer()
	since := k.now()
	k.waitForInterrupt()
	k.stats.IdleTicks += k.now() - since
	k.interrupt()
}

// saveFP writes thread i's VFP registers to its Thread if the VFP has them.
func (k *Kernel) saveFP(i int16) {
	if k.vfpOwner == i {
		k.storeFP(&k.threads[i].FP)
	}
}

// takeFP gives the VFP to the running thread.
func (k *Kernel) takeFP() {
	if k.vfpOwner == k.cur {
		return
	}
	if k.vfpOwner != none {
		k.storeFP(&k.threads[k.vfpOwner].FP)
	}
	k.loadFP(&k.threads[k.cur].FP)
	k.vfpOwner = k.cur
}
