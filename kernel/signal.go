package kernel

import "unsafe"

const (
	numSignals = 65

	sigILL  = 4
	sigTRAP = 5
	sigBUS  = 7
	sigKILL = 9
	sigSEGV = 11
	sigCHLD = 17
	sigCONT = 18
	sigSTOP = 19
	sigURG  = 23
	sigPROF = 27
	sigWNCH = 28

	sigDefault = 0
	sigIgnore  = 1

	saRestorer = 0x04000000
	saOnStack  = 0x08000000
	saNoDefer  = 0x40000000

	siTkill   = -6
	siKernel  = -0x80 // 0x80, as far as a byte can hold it
	segvMap   = 1
	segvAcc   = 2
	busAlign  = 1
	busAddr   = 2
	illOpcode = 1
	trapBreak = 1

	ssOnStack = 1
	ssDisable = 2

	minAltStack = 2048 // MINSIGSTKSZ
)

// sigaction is the kernel's struct sigaction on arm, in its order.
type sigaction struct {
	handler  uint32
	flags    uint32
	restorer uint32
	mask     [2]uint32
}

func (a *sigaction) blocked() uint64 { return uint64(a.mask[1])<<32 | uint64(a.mask[0]) }

func sigBit(sig int32) uint64 { return 1 << uint(sig-1) }

const unblockable = 1<<(sigKILL-1) | 1<<(sigSTOP-1)

func (k *Kernel) sigaction(sig, act, old, size uint32) int32 {
	if sig == 0 || sig >= numSignals || size != 8 {
		return EINVAL
	}
	h := &k.handlers[sig]
	var a sigaction
	if act != 0 {
		if sig == sigKILL || sig == sigSTOP {
			return EINVAL
		}
		if !k.copyIn(unsafe.Pointer(&a), act, uint32(unsafe.Sizeof(a))) {
			return EFAULT
		}
	}
	if old != 0 && !k.copyOut(old, unsafe.Pointer(h), uint32(unsafe.Sizeof(a))) {
		return EFAULT
	}
	if act != 0 {
		*h = a
	}
	return 0
}

func (k *Kernel) sigprocmask(how, set, old, size uint32) int32 {
	t := &k.threads[k.cur]
	if size != 8 {
		return EINVAL
	}
	was := t.sigMask
	mask := was
	if set != 0 {
		var s uint64
		if !k.copyIn(unsafe.Pointer(&s), set, 8) {
			return EFAULT
		}
		switch how {
		case 0: // SIG_BLOCK
			mask |= s
		case 1: // SIG_UNBLOCK
			mask &^= s
		case 2: // SIG_SETMASK
			mask = s
		default:
			return EINVAL
		}
	}
	if old != 0 && !k.copyOut(old, unsafe.Pointer(&was), 8) {
		return EFAULT
	}
	t.sigMask = mask &^ unblockable
	return 0
}

func (t *Thread) onAltStack() bool {
	return t.altSize != 0 && t.R[13] > t.altStack && t.R[13]-t.altStack <= t.altSize
}

// sigaltstack's stack_t is: address, flags, size.
func (k *Kernel) sigaltstack(ss, old uint32) int32 {
	t := &k.threads[k.cur]
	var now, next [3]uint32
	now = [3]uint32{t.altStack, 0, t.altSize}
	switch {
	case t.altSize == 0:
		now[1] = ssDisable
	case t.onAltStack():
		now[1] = ssOnStack
	}
	if ss != 0 {
		if !k.copyIn(unsafe.Pointer(&next), ss, 12) {
			return EFAULT
		}
		if t.onAltStack() {
			return EPERM
		}
		if next[1]&^(ssDisable|ssOnStack) != 0 {
			return EINVAL
		}
		if next[1]&ssDisable == 0 && next[2] < minAltStack {
			return ENOMEM
		}
	}
	if old != 0 && !k.copyOut(old, unsafe.Pointer(&now), 12) {
		return EFAULT
	}
	if ss != 0 {
		t.altStack, t.altSize = next[0], next[2]
		if next[1]&ssDisable != 0 {
			t.altStack, t.altSize = 0, 0
		}
	}
	return 0
}

// tgkill sends a signal to one thread.
func (k *Kernel) tgkill(tid int32, sig uint32) int32 {
	i := k.threadByTID(tid)
	if i == none {
		return ESRCH
	}
	if sig >= numSignals {
		return EINVAL
	}
	if sig != 0 {
		k.send(i, int32(sig), siTkill)
	}
	return 0
}

// kill sends a signal to the program: to a thread that lets it through.
func (k *Kernel) kill(pid int32, sig uint32) int32 {
	if pid != 1 && pid != 0 && pid != -1 {
		return ESRCH
	}
	if sig >= numSignals {
		return EINVAL
	}
	if sig == 0 {
		return 0
	}
	to := k.cur
	if k.threads[to].sigMask&sigBit(int32(sig)) != 0 {
		for i := range k.threads {
			t := &k.threads[i]
			if t.state != threadFree && t.sigMask&sigBit(int32(sig)) == 0 {
				to = int16(i)
				break
			}
		}
	}
	k.send(to, int32(sig), 0)
	return 0
}

// send makes a signal pending and interrupts the wait of a thread that would
// take it. After a handler, reads and writes start over, since Go installs its
// handlers with SA_RESTART; epoll_wait (see pushFrame), futex and nanosleep say
// EINTR, as on Linux.
func (k *Kernel) send(i int16, sig int32, code int8) {
	t := &k.threads[i]
	t.sigPending |= sigBit(sig)
	t.sigCode[sig] = code
	if t.state != threadBlocked || t.sigMask&sigBit(sig) != 0 || k.ignored(sig) {
		return
	}
	k.wake(i, EINTR, false)
}

func (k *Kernel) ignored(sig int32) bool {
	switch k.handlers[sig].handler {
	case sigIgnore:
		return sig != sigKILL
	case sigDefault:
		return sig == sigCHLD || sig == sigURG || sig == sigWNCH || sig == sigCONT
	}
	return false
}

// faultSignal raises a signal that the running thread has caused itself. One
// that it can't take ends the program.
func (k *Kernel) faultSignal(sig int32, code int8, addr uint32) {
	t := &k.threads[k.cur]
	h := k.handlers[sig].handler
	if h == sigDefault || h == sigIgnore || t.sigMask&sigBit(sig) != 0 {
		k.die(sig, t.PC, addr)
		return
	}
	t.sigPending |= sigBit(sig)
	t.sigCode[sig] = code
	t.faultAddr = addr
	t.written = 0 // where it was to go on can't be executed any more
}

// die ends the program because of a signal, as a shell would report it.
func (k *Kernel) die(sig int32, pc, addr uint32) {
	var b textBuffer
	b.field("ingot: killed by signal ", uint32(sig), ", pc 0x")
	b.hex(pc)
	b.string(", address 0x")
	b.hex(addr)
	b.byte('\n')
	k.print(&b)
	k.exit(128 + sig)
}

// sigframe is what a handler finds on its stack: Linux's struct rt_sigframe.
type sigframe struct {
	signo, errno, code, addr uint32
	_                        [28]uint32 // rest of siginfo

	flags, link                uint32
	stack                      [3]uint32
	trapNo, errorCode, oldMask uint32
	regs                       [15]uint32
	pc, cpsr, faultAddress     uint32
	mask                       [2]uint32
	_                          [30]uint32
	vfpMagic, vfpSize          uint32
	fp                         FPContext
	_                          [60]uint32
}

const (
	sigframeSize = 872
	vfpMagic     = 0x56465001
	vfpSize      = 288

	cpsrUser  = 0x10
	cpsrFlags = 0xf80f0000 // what a program may set of it: NZCVQ and GE
)

// deliver prepares the running thread to run the handler of its next signal.
func (k *Kernel) deliver() {
	for !k.exited {
		t := &k.threads[k.cur]
		ready := t.sigPending &^ t.sigMask
		if ready == 0 {
			return
		}
		sig := lowestSignal(ready)
		t.sigPending &^= sigBit(sig)
		if k.ignored(sig) {
			continue
		}
		if k.handlers[sig].handler == sigDefault {
			k.die(sig, t.PC, 0)
			return
		}
		k.pushFrame(t, sig)
	}
}

// lowestSignal puts faults before the rest, since they belong to the instruction
// that is about to run.
func lowestSignal(set uint64) int32 {
	const faults = 1<<(sigSEGV-1) | 1<<(sigBUS-1) | 1<<(sigILL-1) | 1<<(sigTRAP-1)
	if set&faults != 0 {
		set &= faults
	}
	n := int32(1)
	for set&1 == 0 {
		set >>= 1
		n++
	}
	return n
}

func (k *Kernel) pushFrame(t *Thread, sig int32) {
	h := &k.handlers[sig]
	if t.again { // a handler comes between an epoll_wait and its second attempt
		t.again, t.timedOut = false, false
		t.PC += syscallSize
		t.R[0] = result(EINTR)
	}
	k.saveFP(k.cur)
	f := sigframe{
		signo:    uint32(sig),
		code:     uint32(int32(t.sigCode[sig])),
		stack:    [3]uint32{t.altStack, 0, t.altSize},
		regs:     t.R,
		pc:       t.PC,
		cpsr:     t.CPSR,
		mask:     [2]uint32{uint32(t.sigMask), uint32(t.sigMask >> 32)},
		vfpMagic: vfpMagic,
		vfpSize:  vfpSize,
		fp:       t.FP,
	}
	f.oldMask = f.mask[0]
	switch t.sigCode[sig] {
	case siTkill, 0:
		f.addr = 1 // si_pid
	case siKernel:
		f.code = 0x80
	default:
		f.addr = t.faultAddr
		f.faultAddress = t.faultAddr
	}
	sp := t.R[13]
	if h.flags&saOnStack != 0 && t.altSize != 0 && !t.onAltStack() {
		sp = t.altStack + t.altSize
	}
	sp = (sp - sigframeSize) &^ 7
	if !k.copyOut(sp, unsafe.Pointer(&f), sigframeSize) {
		k.die(sigSEGV, t.PC, sp)
		return
	}
	t.R[0] = uint32(sig)
	t.R[1] = sp
	t.R[2] = sp + 128
	t.R[13] = sp
	t.R[14] = k.sigreturnStub()
	if h.flags&saRestorer != 0 && h.restorer != 0 {
		t.R[14] = h.restorer
	}
	t.PC = h.handler &^ 3
	t.CPSR = cpsrUser
	t.sigMask |= h.blocked() &^ unblockable
	if h.flags&saNoDefer == 0 {
		t.sigMask |= sigBit(sig)
	}
	k.stats.Signals++
}

// sigreturn undoes pushFrame with what the handler left in the frame. It can't
// leave user mode: only the flags of the stored CPSR count.
func (k *Kernel) sigreturn() {
	t := &k.threads[k.cur]
	var f sigframe
	sp := t.R[13]
	if sp&7 != 0 || !k.copyIn(unsafe.Pointer(&f), sp, sigframeSize) {
		k.die(sigSEGV, t.PC, sp)
		return
	}
	t.R = f.regs
	t.PC = f.pc &^ 3
	t.CPSR = f.cpsr&cpsrFlags | cpsrUser
	t.sigMask = (uint64(f.mask[1])<<32 | uint64(f.mask[0])) &^ unblockable
	if f.vfpMagic == vfpMagic && f.vfpSize == vfpSize {
		t.FP = f.fp
		if k.vfpOwner == k.cur {
			k.vfpOwner = none // reloaded on the way out
		}
	}
}
