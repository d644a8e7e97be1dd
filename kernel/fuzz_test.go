//go:build !arm

package kernel

import (
	"math/rand/v2"
	"testing"
)

// program is a random program: bytes decide what its threads do.
type program struct {
	k    *Kernel
	data []byte
	last uint32 // result of the last system call, which later calls take as argument

	patience int
}

func (p *program) byte() byte {
	if len(p.data) == 0 {
		return 0
	}
	b := p.data[0]
	p.data = p.data[1:]
	return b
}

func (p *program) word() uint32 {
	return uint32(p.byte()) | uint32(p.byte())<<8 | uint32(p.byte())<<16 | uint32(p.byte())<<24
}

// Numbers near which things go wrong.
var edges = [...]uint32{
	0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 64, 128, pageSize, pageSize * 2, mega, 3 * mega,
	userStart, mmapStart, mmapStart + mega, mmapStart + mega - pageSize, mmapEnd, mmapEnd - pageSize,
	testText, testRodata, testData, testBSSEnd, testBSSEnd - pageSize, testPool, testDMA,
	stackEnd, stackEnd - pageSize, stackEnd - stackSize, stackEnd - stackSize - mega,
	clockPage, vdsoPage, userEnd, userEnd - 4, 0xfff00000, 1 << 31, 1<<31 - 1, 1 << 30,
	^uint32(0), ^uint32(0) - 1, ^uint32(0) - 7, ^uint32(0) - pageMask, 0xfffffff0,
	mapPrivate | mapAnonymous, mapPrivate | mapAnonymous | mapFixed, mapShared, 0x10f00, 0x800, 0x80800,
	pollET | 5, 5, 1000, 1_000_000,
}

// arg makes an argument.
func (p *program) arg() uint32 {
	switch b := p.byte(); {
	case b < 96:
		return uint32(b & 15) // a descriptor, an operation, a signal, rights
	case b < 144:
		return edges[int(p.byte())%len(edges)]
	case b < 160:
		return edges[int(p.byte())%len(edges)] + uint32(int8(p.byte()))
	case b < 208: // an address in the first megabytes that mmap gives
		return mmapStart + uint32(p.byte())<<pageShift
	case b < 224:
		return mmapStart + uint32(p.byte())<<pageShift + uint32(p.byte())*4
	case b < 240:
		return p.last
	case b < 248:
		return p.k.threads[p.k.cur].R[13] &^ 7
	}
	return p.word()
}

// descriptor is an open one, of a kind if there is any.
func (p *program) descriptor(kind uint8) uint32 {
	at := uint32(p.byte())
	for i := range uint32(MaxFiles) {
		fd := (at + i) % MaxFiles
		if f := &p.k.files[fd]; f.kind != fileFree && (kind == 0 || f.kind == kind) {
			return fd
		}
	}
	return at
}

// Every system call there is, the most intricate ones more than once.
var fuzzCalls = [...]uint32{
	sysRead, sysWrite, sysOpen, sysClose, sysKill, sysSetitimer, sysGetitimer, sysBrk, sysIoctl, sysFcntl, sysMunmap, sysClone, sysUname,
	sysMprotect, sysSchedYield, sysNanosleep, sysRtSigreturn, sysRtSigaction, sysRtSigprocmask, sysGetcwd,
	sysSigaltstack, sysMmap2, sysMadvise, sysTkill, sysFutex, sysGetaffinity, sysEpollWait, sysEpollCtl,
	sysClockSettime, sysClockGettime, sysClockGetres, sysClockNanosleep, sysTgkill, sysOpenat, sysEpollPwait,
	sysEventfd2, sysEpollCreate1, sysPipe2, sysPrlimit64, sysGetrandom, sysClockGettime64, sysClockSettime64,
	sysClockGetres64, sysClockNanosleep64, sysFutexTime64, sysARMSetTLS,
	sysMmap2, sysMmap2, sysMmap2, sysMunmap, sysMprotect, sysMadvise, sysEpollCtl, sysEpollCtl, sysEpollWait,
	sysRead, sysWrite, sysRead, sysWrite, sysFutex, sysFutexTime64, sysClone, sysPipe2, sysEventfd2, sysClose,
}

var fuzzPaths = [...]string{
	"/dev/uio0", "/dev/uio1", "/dev/uio2", "/dev/null", "/dev/urandom", "/proc/meminfo", "/proc/ingot",
	"/sys/class/uio/uio0/name", "/sys/class/uio/uio0/maps/map1/size", "/dev/uio99", "",
}

// step does one thing and says what, for the report.
func (p *program) step() {
	k := p.k
	t := &k.threads[k.cur]
	op := p.byte()
	// A thread that was woken has to run its call again first.
	if t.PC == testSVC && t.R[7] != 0 && t.R[7] != noCall {
		t.PC += 4
		k.trap(trapSyscall)
		return
	}
	t.PC, t.R[7] = testSVC, noCall
	careless := p.byte()&31 == 0
	if !careless {
		t.R[13] = stackEnd - pageSize // not what it was cloned with
	}
	switch {
	case op < 150: // a system call with any arguments
		nr := fuzzCalls[int(p.byte())%len(fuzzCalls)]
		if careless {
			nr = sysExit
			if k.live == 1 {
				nr = sysClone
			}
		} else if nr == sysRtSigaction || nr == sysRtSigreturn {
			nr = sysEpollWait
		}
		for i := range 6 {
			t.R[i] = p.arg()
		}
		p.trapCall(t, nr)
	case op < 153: // a device's registers or DMA memory
		t.R[0], t.R[1], t.R[2], t.R[3] = p.arg(), uint32(p.byte()&7)<<pageShift, uint32(p.byte()&3), mapShared|uint32(p.byte()&mapFixed)
		t.R[4], t.R[5] = p.descriptor(fileDevice), uint32(p.byte()&1)
		p.trapCall(t, sysMmap2)
	case op < 160: // mmap that works
		t.R = [15]uint32{0, uint32(p.byte()) << pageShift, uint32(p.byte() & 3), mapPrivate | mapAnonymous, ^uint32(0), 0, 0, 0, 0, 0, 0, 0, 0, t.R[13], t.R[14]}
		if p.byte()&1 != 0 {
			t.R[0] = mmapStart + uint32(p.byte())<<pageShift
			t.R[3] |= mapFixed
		}
		p.trapCall(t, sysMmap2)
	case op < 163: // something that can be waited for
		t.R[0], t.R[1] = 0, p.arg()&oNonblock
		nr := [...]uint32{sysPipe2, sysEventfd2, sysEpollCreate1}[int(p.byte())%3]
		if nr == sysPipe2 {
			t.R[0] = testData + 0x80
		}
		p.trapCall(t, nr)
	case op < 166: // and a wait for it
		*k.word(testData + 0x90) = 1<<31&p.word() | uint32(p.byte()&0x1f)
		*k.word(testData + 0x98) = p.word()
		t.R[0], t.R[1], t.R[2], t.R[3] = p.descriptor(filePoll), uint32(p.byte()&3), p.descriptor(0), testData+0x90
		p.trapCall(t, sysEpollCtl)
	case op < 168:
		t.R[0], t.R[1], t.R[2], t.R[3] = p.descriptor(filePoll), testData+0xa0, uint32(p.byte()&3), uint32(int8(p.byte()))
		p.trapCall(t, sysEpollWait)
	case op < 169: // a read or write that works
		t.R[0], t.R[1], t.R[2] = p.descriptor(0), testData+0x800, uint32(p.byte())<<(p.byte()&7)&0x7ff
		*k.word(testData + 0x800), *k.word(testData + 0x804) = p.word(), p.word()&p.word()
		p.trapCall(t, [...]uint32{sysRead, sysWrite}[p.byte()&1])
	case op < 170: // open of something that is there
		path := fuzzPaths[int(p.byte())%len(fuzzPaths)]
		at := uint32(testData)
		for i := range len(path) + 1 {
			c := byte(0)
			if i < len(path) {
				c = path[i]
			}
			*(*byte)(k.ptr(at + uint32(i))) = c
		}
		t.R[0], t.R[1] = at, p.arg()&(oNonblock|oAccMode)
		p.trapCall(t, sysOpen)
	case op < 178: // a handler, somewhere
		at := uint32(testData + 0x100)
		*k.word(at), *k.word(at + 4), *k.word(at + 8) = p.arg(), p.arg()<<24, 0
		*k.word(at + 12), *k.word(at + 16) = p.arg(), 0
		t.R[0], t.R[1], t.R[2], t.R[3] = p.arg(), at, 0, 8
		if !careless && t.R[0] < numSignals && *k.word(at) <= sigIgnore {
			*k.word(at) = testSVC
		}
		p.trapCall(t, sysRtSigaction)
	case op < 210: // a load or store
		w := p.arg()
		if t.sigMask&^(1<<(sigSEGV-1)) != t.sigMask && !careless {
			return
		}
		userAccess(k, p.arg(), &w, p.byte()&1 != 0)
	case op < 225:
		k.time += uint64(p.word() >> (p.byte() & 31))
		if k.timerAt <= k.time {
			k.pending = append(k.pending, timerIRQ)
			k.trap(trapInterrupt)
		}
	case op < 240:
		k.pending = append(k.pending, [...]uint32{150, 152, 58, 58, timerIRQ, 33, 150, 1019}[p.byte()&7])
		k.trap(trapInterrupt)
	case t.sigMask != 0 && !careless:
		// A fault with its signal blocked is the end.
	case op < 243:
		k.trap(trapUndefined)
	case op < 246:
		k.status, k.addr = uint32(p.byte())|uint32(p.byte())<<8, p.arg()
		k.trap(trapPrefetch)
	case op < 249:
		k.status, k.addr = uint32(p.byte())|uint32(p.byte())<<8, p.arg()
		if s := k.status&0xf | k.status>>6&0x10; s != faultTranslation && s != faultTransPage {
			k.trap(trapData)
		}
	case op < 250 && p.byte()&3 == 0: // the end of a handler, or what looks like one
		t.R[13] -= 0x1000
		for va := t.R[13]; va < stackEnd && va < t.R[13]+sigframeSize; va += 4 {
			if pa, ok := k.translate(va, true); ok && p.byte()&3 == 0 {
				*k.word(pa) = p.arg()
			}
		}
		p.trapCall(t, sysRtSigreturn)
	default: // the program writes into its own registers
		t.R[13] = p.arg()
		k.fp.D[0] = p.word()
	}
}

// noCall is a system call number that nobody has, for threads at testSVC that
// don't wait for anything.
const noCall = 0x7fff

func (p *program) trapCall(t *Thread, nr uint32) {
	t.R[7] = nr
	t.PC = testSVC + 4
	p.k.trap(trapSyscall)
	if !p.k.exited && p.k.cur != none && t == &p.k.threads[p.k.cur] && t.PC == testSVC+4 {
		p.last = t.R[0]
	}
}

// newProgram boots one in which signals don't end everything at once.
func newProgram(data []byte) *program {
	p := &program{k: bootKernel(seedParams()), data: data}
	if len(data) > 0 && data[0]&7 == 0 {
		p.k = bootKernel(params{})
	}
	t := &p.k.threads[p.k.cur]
	t.R[7] = noCall
	t.altStack, t.altSize = testData+0x2000, 0x2000
	for sig := range p.k.handlers {
		p.k.handlers[sig] = sigaction{handler: testSVC, flags: saNoDefer | saOnStack}
	}
	p.k.handlers[sigKILL] = sigaction{}
	// When everybody waits for good, there is always a key to press, and somebody
	// who loses patience.
	p.k.outside = func() {
		if p.patience++; p.patience < 4 {
			p.k.pending = append(p.k.pending, 58, 150, 152)
		} else if p.patience < 8 {
			for i := range p.k.threads {
				if p.k.threads[i].state == threadBlocked {
					p.k.send(int16(i), 10, siTkill)
				}
			}
			p.k.pending = append(p.k.pending, 33)
		}
	}
	return p
}

// runProgram runs a program to its end and checks the kernel after every step.
func runProgram(tb testing.TB, data []byte) (steps int) {
	p := newProgram(data)
	for len(p.data) > 0 && !p.k.exited {
		p.patience = 0
		before := len(p.data)
		p.step()
		steps++
		if err := checkInvariants(p.k); err != nil {
			tb.Fatalf("after step %d (at byte %d of %d): %v", steps, len(data)-before, len(data), err)
		}
		p.k.output = p.k.output[:0]
	}
	return steps
}

func FuzzSyscalls(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.Add(randomBytes(r, 400))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			data = data[:4000]
		}
		runProgram(t, data)
	})
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestRandomPrograms is the fuzzer's program with long random inputs, which reach
// states that short ones don't.
func TestRandomPrograms(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 60
	}
	steps := 0
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 77))
		steps += runProgram(t, randomBytes(r, 6000))
	}
	t.Logf("%d steps", steps)
	if steps < n*20 {
		t.Errorf("only %d steps in %d programs: they end too early to test anything", steps, n)
	}
}
