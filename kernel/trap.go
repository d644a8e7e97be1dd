package kernel

// Why user mode was left. The numbers are those of the exception vectors.
const (
	trapUndefined = 1
	trapSyscall   = 2
	trapPrefetch  = 3
	trapData      = 4
	trapInterrupt = 6
)

// Fault status codes (ARM ARM table B3-23), short-descriptor format.
const (
	faultAlignment   = 0x01
	faultDebug       = 0x02
	faultTranslation = 0x05
	faultTransPage   = 0x07
	faultPermission  = 0x0d
	faultPermPage    = 0x0f
)

// trap is everything that happens between leaving user mode and going back to
// it. The running thread's registers are in its Thread; when trap returns, those
// of k.cur are loaded.
func (k *Kernel) trap(kind uint32) {
	switch kind {
	case trapSyscall:
		t := &k.threads[k.cur]
		if r := k.syscall(t); t.state == threadRunning {
			t.R[0] = uint32(r)
		}
	case trapInterrupt:
		k.interrupt()
	case trapData:
		k.dataAbort(k.faultStatus())
	case trapPrefetch:
		k.prefetchAbort(k.prefetchStatus())
	case trapUndefined:
		k.faultSignal(sigILL, illOpcode, k.threads[k.cur].PC)
	}
	k.leave()
}

// leave gets the kernel ready to go back to user mode.
func (k *Kernel) leave() {
	for !k.exited {
		if k.resched || k.cur == none {
			k.schedule()
			if k.exited {
				break
			}
		}
		k.refreshClock()
		t := &k.threads[k.cur]
		if t.sigPending&^t.sigMask == 0 || t.written > 0 {
			break
		}
		k.deliver()
	}
	if k.exited {
		return
	}
	k.takeFP()
	k.armTimer()
}

// interrupt answers everything that the interrupt controller has.
func (k *Kernel) interrupt() {
	for {
		irq := k.ackIRQ()
		if irq >= 1020 {
			return
		}
		k.stats.Interrupts++
		switch irq {
		case timerIRQ:
			k.stats.Timers++
			k.setTimer(^uint64(0))
			k.expire()
			k.sample()
			if k.cur != none && k.anyReady() && k.now() >= k.sliceEnd {
				k.resched = true
			}
		case k.consoleIRQ():
			k.consoleInterrupt()
		default:
			k.deviceInterrupt(irq)
		}
		k.endIRQ(irq)
	}
}

// dataAbort is a load or store that the page table did not allow.
func (k *Kernel) dataAbort(status, addr uint32) {
	const byWrite = 1 << 11
	switch status&0xf | status>>6&0x10 {
	case faultTranslation, faultTransPage:
		if addr >= userStart && addr < userEnd && k.fault(addr, status&byWrite != 0) || k.exited {
			return
		}
		k.faultSignal(sigSEGV, k.segvCode(addr), addr)
	case faultPermission, faultPermPage:
		k.faultSignal(sigSEGV, segvAcc, addr)
	case faultAlignment:
		k.faultSignal(sigBUS, busAlign, addr)
	default:
		k.faultSignal(sigBUS, busAddr, addr)
	}
}

// prefetchAbort is a jump to where no instruction may be.
func (k *Kernel) prefetchAbort(status, addr uint32) {
	switch status&0xf | status>>6&0x10 {
	case faultDebug:
		k.faultSignal(sigTRAP, trapBreak, addr)
	case faultTranslation, faultTransPage, faultPermission, faultPermPage:
		k.faultSignal(sigSEGV, k.segvCode(addr), addr)
	default:
		k.faultSignal(sigBUS, busAddr, addr)
	}
}

func (k *Kernel) segvCode(addr uint32) int8 {
	if k.mapped(addr) {
		return segvAcc
	}
	return segvMap
}
