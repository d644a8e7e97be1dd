package kernel

// Context is a thread's registers while it is not running in user mode. The
// assembly in trap_arm.s stores and loads it in this order.
type Context struct {
	R    [15]uint32 // r0 to r14
	PC   uint32
	CPSR uint32
}

// FPContext is a thread's d0 to d31 and FPSCR.
type FPContext struct {
	D     [64]uint32
	FPSCR uint32
	_     uint32
}

const (
	threadFree = iota
	threadReady
	threadRunning
	threadBlocked
)

// What a blocked thread waits for, and so what has to be undone to wake it.
const (
	waitNone   = iota
	waitSleep  // its timer only
	waitFutex  // in the queue of its futex
	waitFile   // an object behind a file; it will run its system call again
	waitPoll   // an epoll instance; likewise
	waitRandom // the generator's seed; likewise
)

// Thread is one of the program's threads.
type Thread struct {
	Context // first: the assembly takes a *Thread for a *Context
	FP      FPContext
	tls     uint32 // TPIDRURO

	tid        int32
	state      uint8
	wait       uint8
	again      bool  // about to run its epoll_wait again, with the deadline it had
	timedOut   bool  // that deadline has passed
	timer      int16 // position in the timer heap, or none
	prev, next int16
	slice      uint64 // ticks that a preempted thread has left of its slice
	deadline   uint64 // in ticks; valid while timer != none or again; 0 = none
	futex      uint32 // address waited on
	waitOn     int16  // index of the file or epoll instance of waitFile, waitPoll
	written    uint32 // bytes of a console write that is about to go on; signals wait for its end

	sigMask    uint64
	sigPending uint64
	sigCode    [numSignals]int8
	faultAddr  uint32 // si_addr of a pending fault
	altStack   uint32
	altSize    uint32
}

// newThread takes a free thread, or returns none.
func (k *Kernel) newThread() int16 {
	i := k.freeHead
	if i == none {
		return none
	}
	t := &k.threads[i]
	k.freeHead = t.next
	*t = Thread{timer: none, prev: none, next: none, waitOn: none}
	// A thread's number says where it is in the table, and is not used again soon.
	k.lastTID += MaxThreads
	if k.lastTID > 1<<30 {
		k.lastTID = 0
	}
	t.tid = k.lastTID + int32(i) + 1
	k.live++
	return i
}

// threadByTID returns the index of a live thread, or none.
func (k *Kernel) threadByTID(tid int32) int16 {
	if tid <= 0 {
		return none
	}
	i := int16((tid - 1) & (MaxThreads - 1))
	if t := &k.threads[i]; t.state == threadFree || t.tid != tid {
		return none
	}
	return i
}

// clone makes a thread that shares everything with the one running, which is
// the only kind there is. flags are those that Go's runtime passes.
func (k *Kernel) clone(flags, sp, tls uint32) int32 {
	const (
		cloneVM     = 0x100
		cloneThread = 0x10000
		cloneSetTLS = 0x80000
	)
	if flags&cloneVM == 0 || flags&cloneThread == 0 {
		return ENOSYS // there are no processes
	}
	parent := k.cur
	i := k.newThread()
	if i == none {
		return EAGAIN
	}
	p, t := &k.threads[parent], &k.threads[i]
	k.saveFP(parent)
	t.Context = p.Context
	t.FP = p.FP
	t.tls = p.tls
	t.sigMask = p.sigMask
	t.R[0] = 0
	if sp != 0 {
		t.R[13] = sp
	}
	if flags&cloneSetTLS != 0 {
		t.tls = tls
	}
	k.makeReady(i, false)
	return t.tid
}

// exitThread ends the running thread.
func (k *Kernel) exitThread() {
	i := k.cur
	t := &k.threads[i]
	if k.vfpOwner == i {
		k.vfpOwner = none
	}
	t.state = threadFree
	t.next = k.freeHead
	k.freeHead = i
	k.live--
	k.cur = none
	k.resched = true
}

// exit ends the program, and with it everything.
func (k *Kernel) exit(code int32) {
	k.exited = true
	k.exitCode = code
	k.halt(code)
}
