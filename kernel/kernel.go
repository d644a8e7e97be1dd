package kernel

// Limits. Every table of the kernel has a fixed size, so that nothing a program
// does can make the kernel run out of memory of its own.
const (
	MaxThreads  = 128
	MaxFiles    = 64
	MaxDevices  = 16
	MaxPipes    = 8
	MaxEventFDs = 8
	MaxPolls    = 4   // epoll instances
	MaxWatches  = 128 // (epoll instance, file) pairs
	futexHash   = 64  // a power of two
)

// Kernel is all the state there is. On a machine exactly one exists, at a fixed
// address that only privileged code can reach; in host tests there is one per
// test. It holds no Go pointers, so that storing into it needs no write barrier:
// links are indices, addresses are integers.
type Kernel struct {
	machine // the processor and physical memory: real on arm, simulated on the host

	frames frames
	vm     vm

	threads  [MaxThreads]Thread
	cur      int16 // index of the running thread; none when idle
	live     int16 // threads that have not exited
	freeHead int16 // free threads, linked by next
	runq     queue
	woken    queue  // ready too, and before runq: woken from outside
	resched  bool   // the running thread should give way at the end of this trap
	sliceEnd uint64 // when the running thread has had its turn, in ticks
	lastTID  int32
	vfpOwner int16 // thread whose registers are in the VFP

	timers  timers
	profile profile
	futexes [futexHash]queue

	files   [MaxFiles]file
	pipes   [MaxPipes]pipe
	events  [MaxEventFDs]eventFD
	polls   [MaxPolls]poll
	watches [MaxWatches]watch
	// watchEnd is one above the last watch in use, so that looking for what is ready
	// costs by what is watched.
	watchEnd int16

	devices  [MaxDevices]device
	ndevices int32

	handlers [numSignals]sigaction

	clock   clock
	random  random
	console console

	stats Stats

	exited   bool
	exitCode int32
}

// Stats counts what the kernel did since boot; a program reads them from
// /proc/ingot.
type Stats struct {
	Syscalls, Unknown       uint32 // system calls; those answered ENOSYS
	Interrupts, Timers      uint32
	PageFaults, Signals     uint32
	Switches, Idles, Wakeup uint32
	IdleTicks               uint64 // time that the processor waited for interrupts
}

// none is the index that stands for "no element".
const none = -1

func (k *Kernel) init() {
	k.cur = none
	k.vfpOwner = none
	k.runq = queue{none, none}
	k.woken = queue{none, none}
	for i := range k.futexes {
		k.futexes[i] = queue{none, none}
	}
	k.lastTID = -MaxThreads // so that the first thread has the program's number, 1
	k.freeHead = none
	for i := MaxThreads - 1; i >= 0; i-- {
		t := &k.threads[i]
		t.state = threadFree
		t.timer = none
		t.next = k.freeHead
		k.freeHead = int16(i)
	}
	for i := range k.watches {
		k.watches[i].poll = none
	}
	k.random.waiters = queue{none, none}
	for range 3 {
		k.newFile(fileConsole, 0, 2)
	}
}
