package kernel

import "unsafe"

// Auxiliary vector entries, and what Go wants to read in them: without the VFP
// bits it refuses to start, without the platform it believes that the processor
// has no ARMv7 atomics.
const (
	atNull        = 0
	atPagesz      = 6
	atPlatform    = 15
	atHwcap       = 16
	atRandom      = 25
	atSysinfoEhdr = 33

	hwcap = 1<<1 | // HALF
		1<<2 | // THUMB
		1<<6 | // VFP
		1<<12 | // NEON
		1<<13 | // VFPv3
		1<<16 | // VFPv4
		1<<17 | // IDIVA
		1<<20 // LPAE: 64-bit loads and stores are single accesses
)

// start makes the first thread: its stack with arguments, environment and
// auxiliary vector, as Linux lays them out, and its registers.
func (k *Kernel) start(b *Board, p params, entry uint32) bool {
	i := k.newThread()
	t := &k.threads[i]
	k.cur = i
	lo := uint32(stackEnd - stackSize)
	if k.account(lo, stackEnd, marker(protRead|protWrite)) != 0 || !k.replace(lo, stackEnd, marker(protRead|protWrite)) {
		return false
	}
	s := stackWriter{k: k, sp: stackEnd - 16}
	random := s.random()
	platform := s.text("v7l")
	const maxStrings = 64
	var argv [maxStrings]uint32
	var env [maxStrings + 1]uint32
	argc, envc := 1, 1
	argv[0] = s.text(b.Name)
	// The first definition of a variable counts, so this is none that a loader gives.
	entropy := k.random.entropyVariable()
	env[0] = s.bytes(entropy.text[:entropy.n])
	for at := uint32(0); ; {
		tag, data, after := p.next(at)
		if tag == 0 {
			break
		}
		switch {
		case tag == tagArg && argc < maxStrings:
			argv[argc] = s.bytes(data)
			argc++
		case tag == tagEnv && envc < len(env)-4:
			env[envc] = s.bytes(data)
			envc++
		}
		at = after
	}
	// And these are defaults.
	env[envc] = s.text("GODEBUG=madvdontneed=1")
	env[envc+1] = s.text("GOMAXPROCS=2")
	var limit textBuffer
	megabytes := k.frames.limit >> (20 - pageShift)
	limit.field("GOMEMLIMIT=", megabytes-megabytes>>3, "MiB")
	env[envc+2] = s.bytes(limit.text[:limit.n])
	// Go's own is 100: with a heap of a few megabytes it collects every twenty handshakes.
	// With more than 200, what stays of connections lies far apart among garbage, and takes
	// more RAM. The limit keeps a large heap from growing to three times its size.
	env[envc+3] = s.text("GOGC=200")
	envc += 4

	s.sp &^= 15
	if (argc+envc+3)&1 != 0 {
		s.sp -= 4 // so that what follows ends on 8 bytes
	}
	for _, a := range [...][2]uint32{
		{atNull, 0},
		{atSysinfoEhdr, vdsoPage},
		{atRandom, random},
		{atPlatform, platform},
		{atHwcap, hwcap},
		{atPagesz, pageSize},
	} {
		s.word(a[1])
		s.word(a[0])
	}
	s.list(env[:envc])
	s.list(argv[:argc])
	s.word(uint32(argc))
	t.R[13] = s.sp
	t.PC = entry
	t.CPSR = cpsrUser
	t.state = threadRunning
	k.sliceEnd = k.now() + k.ticks(sliceTime)
	return !s.failed
}

// A stackWriter pushes onto the stack of a program that does not run yet.
type stackWriter struct {
	k      *Kernel
	sp     uint32
	failed bool
}

func (s *stackWriter) word(w uint32) {
	s.sp -= 4
	if !s.k.putWord(s.sp, w) {
		s.failed = true
	}
}

// list pushes addresses in order, and the 0 that ends them.
func (s *stackWriter) list(p []uint32) {
	s.word(0)
	for i := len(p) - 1; i >= 0; i-- {
		s.word(p[i])
	}
}

func (s *stackWriter) bytes(b []byte) uint32 {
	s.sp = (s.sp - uint32(len(b)) - 1) &^ 3
	if len(b) > 0 && !s.k.copyOut(s.sp, unsafe.Pointer(&b[0]), uint32(len(b))) {
		s.failed = true
	}
	return s.sp
}

func (s *stackWriter) text(t string) uint32 {
	var b textBuffer
	b.string(t)
	return s.bytes(b.text[:b.n])
}

// random pushes the 16 bytes of AT_RANDOM. Go seeds its map hashes with them. If
// nothing better is there they come from the timer, which stops no attacker:
// getrandom, which everything secret uses, does not answer in that case.
func (s *stackWriter) random() uint32 {
	s.sp -= 16
	if !s.k.random.seeded() {
		now := s.k.now()
		s.k.random.mix(unsafe.Pointer(&now), 8, 0)
	}
	if !s.k.readRandom(s.sp, 16) {
		s.failed = true
	}
	return s.sp
}
