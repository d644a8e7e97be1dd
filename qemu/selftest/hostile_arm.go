package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// In hostile_arm.s: addresses of small pieces of code that end in 'bx lr', and of
// the signal handler that gets out of them.
func handlerAddr() uint32
func swiAddr() uint32       // a system call
func loadAddr() uint32      // r0 = *r0
func spinAddr() uint32      // count r0 down to 0
func readCPSRAddr() uint32  // r0 = cpsr; goes to r9
func sigreturnAddr() uint32 // with the frame at sp, completed with r6, r8, r9 and g
func forbiddenAddr() uint32 // instructions that need privilege, each followed by bx lr
func harmlessAddr() uint32  // such that user mode ignores

// jump runs the code at an address with these registers; sp 0 keeps the stack.
// A fault on the way ends it, with the signal's number at *signal.
//
//go:noescape
func jump(code, sp, r0, r7 uint32, signal *uint32) uint32

// cloneAndExit makes a thread that yields some times and exits.
func cloneAndExit(flags, sp, yields uint32) int32

// rough runs f on a thread that Go gives up afterwards, on which faults come to
// jump: those of all threads, so nothing else may have any meanwhile.
func rough(f func(try func(code, sp, r0, r7 uint32) (r0after, signal uint32)) error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		type action struct{ handler, flags, restorer, mask, mask2 uint32 }
		signals := []syscall.Signal{syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGSEGV}
		old := make([]action, len(signals))
		const onStack, sigInfo = 0x08000000, 4
		ours := action{handler: handlerAddr(), flags: onStack | sigInfo}
		set := func(sig syscall.Signal, to, old *action) {
			syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
		}
		for i, sig := range signals {
			set(sig, &ours, &old[i])
		}
		signal := new(uint32)
		err := f(func(code, sp, r0, r7 uint32) (uint32, uint32) {
			*signal = 0
			r := jump(code, sp, r0, r7, signal)
			return r, *signal
		})
		for i, sig := range signals {
			set(sig, &old[i], nil)
		}
		result <- err
	}()
	return <-result
}

const (
	modeMask = 0x1f
	userMode = 0x10
)

// privileged tries instructions that are not for programs.
func privileged() error {
	return rough(func(try func(code, sp, r0, r7 uint32) (uint32, uint32)) error {
		const step = 8
		for code := forbiddenAddr(); *at(uintptr(code)) != 0; code += step {
			_, sig := try(code, 0, kernelAddr, syscall.SYS_GETPID)
			if sig != uint32(syscall.SIGILL) && sig != uint32(syscall.SIGSEGV) && sig != uint32(syscall.SIGTRAP) {
				return fmt.Errorf("instruction %#x: signal %d", *at(uintptr(code)), sig)
			}
		}
		for code := harmlessAddr(); *at(uintptr(code)) != 0; code += step {
			if _, sig := try(code, 0, kernelAddr, syscall.SYS_GETPID); sig != 0 {
				return fmt.Errorf("instruction %#x: signal %d", *at(uintptr(code)), sig)
			}
			if cpsr, _ := try(readCPSRAddr(), 0, 0, 0); cpsr&modeMask != userMode || cpsr&0xc0 != 0 {
				return fmt.Errorf("instruction %#x: cpsr is %#x", *at(uintptr(code)), cpsr)
			}
		}
		return nil
	})
}

// wildStackPointers enters the kernel, by every way there is, with a stack pointer
// that it had better not use.
func wildStackPointers() error {
	return rough(func(try func(code, sp, r0, r7 uint32) (uint32, uint32)) error {
		for _, sp := range []uint32{1, 8, kernelAddr, 0xC0000000, 0xBFFFFFF8, 0xF0000000, 0xFFFD4FF0, 0xFFFFFFF8, 0xFFFFFFFF} {
			if pid, sig := try(swiAddr(), sp, 0, syscall.SYS_GETPID); pid != 1 || sig != 0 {
				return fmt.Errorf("getpid with sp %#x: %d, signal %d", sp, pid, sig)
			}
			if _, sig := try(loadAddr(), sp, kernelAddr, 0); sig != uint32(syscall.SIGSEGV) {
				return fmt.Errorf("fault with sp %#x: signal %d", sp, sig)
			}
			if _, sig := try(spinAddr(), sp, 1_000_000, 0); sig != 0 { // interrupts
				return fmt.Errorf("loop with sp %#x: signal %d", sp, sig)
			}
			if _, sig := try(forbiddenAddr(), sp, 0, 0); sig != uint32(syscall.SIGILL) {
				return fmt.Errorf("undefined instruction with sp %#x: signal %d", sp, sig)
			}
		}
		return nil
	})
}

// wildJumps goes where no code of the program is.
func wildJumps() error {
	const bxLR = 0xe12fff1e
	onHeap := make([]uint32, 2048)
	for i := range onHeap {
		onHeap[i] = bxLR
	}
	onStack := [4]uint32{bxLR, bxLR, bxLR, bxLR}
	return rough(func(try func(code, sp, r0, r7 uint32) (uint32, uint32)) error {
		for _, to := range []uint32{
			0, 0x1000, uint32(uintptr(unsafe.Pointer(&onHeap[0]))), uint32(uintptr(unsafe.Pointer(&onStack[0]))),
			0xBFFFE000, 0xBFFFFFFC, 0xC0000000, 0xC0010000, 0xDFFFF000, 0xF2020000, kernelAddr, 0xFFFD4000, 0xFFFF0000, 0xFFFF0008, 0xFFFFFFFC,
		} {
			if _, sig := try(to, 0, 0, syscall.SYS_GETPID); sig != uint32(syscall.SIGSEGV) {
				return fmt.Errorf("jump to %#x: signal %d", to, sig)
			}
		}
		runtime.KeepAlive(onHeap)
		return nil
	})
}

// forgedFrames returns from signals that never came, with frames that say what the
// program would like to be.
func forgedFrames() error {
	const words, regs, pc, cpsr, mask, vfp = 218, 40, 55, 56, 58, 90
	buffer := make([]uint32, words+2)
	base := uint32(uintptr(unsafe.Pointer(&buffer[0])))
	frame := buffer[(base&7)/4:][:words]
	sp := uint32(uintptr(unsafe.Pointer(&frame[0])))
	wanted := []uint32{0x13, 0xd3, 0x1f, 0x1d3, 0x12, 0x11, 0x17, 0x1b, 0x1a, 0x16, 0, 0x3f, 0x30, 0x210, 0x01000010, 0x0600fc10, 0xffffffff}
	return rough(func(try func(code, sp, r0, r7 uint32) (uint32, uint32)) error {
		for i := range 500 {
			for j := range frame {
				frame[j] = rand.Uint32()
			}
			if i < len(wanted) {
				frame[cpsr] = wanted[i]
			}
			asked := frame[cpsr]
			frame[pc] = readCPSRAddr()
			frame[mask], frame[mask+1] = 0, 0
			if i&1 == 0 { // registers of the VFP as well; of FPSCR what Go can live with
				frame[vfp], frame[vfp+1] = 0x56465001, 288
				frame[vfp+2+64] &= 0xf0000000
			}
			got, sig := try(sigreturnAddr(), sp, 0, 0)
			const thumb, bigEndian, masked = 1 << 5, 1 << 9, 1<<6 | 1<<7 | 1<<8
			if sig != 0 || got&modeMask != userMode || got&(thumb|bigEndian|masked) != 0 {
				return fmt.Errorf("cpsr %#x in the frame: %#x and signal %d after it", asked, got, sig)
			}
		}
		return nil
	})
}

// strangeThreads makes threads of which Go knows nothing, with stack pointers that
// are none, until there are no more, and wants all of them gone afterwards.
func strangeThreads() error {
	const goFlags = 0x50f00
	for _, flags := range []uint32{0, 0x11, 0x4111, 0x100, 0x10000} {
		if r := cloneAndExit(flags, 0, 1); r != -int32(syscall.ENOSYS) {
			return fmt.Errorf("clone with flags %#x: %d", flags, r)
		}
	}
	made, refused := 0, 0
	for i := range 3000 {
		switch r := cloneAndExit(goFlags, []uint32{0, 4, 0xC0000000, 0xFFFFFFFF}[i&3], uint32(1+i%50)); {
		case r > 0:
			made++
		case r == -int32(syscall.EAGAIN):
			refused++
			time.Sleep(time.Millisecond)
		default:
			return fmt.Errorf("clone: %d", r)
		}
	}
	if made < 1000 || refused == 0 {
		return fmt.Errorf("%d threads made, %d refused", made, refused)
	}
	return lockedThreads() // there is room again
}
