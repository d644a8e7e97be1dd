// Package kernel answers Linux's system calls on a bare ARM board, so that a Go
// program built for linux/arm runs with no operating system under it. It is part
// of the program's own binary and runs in the processor's privileged mode; Go's
// runtime, drivers and the program run above it in user mode.
//
// docs/architecture.md tells the whole story with a memory map; this is where to
// start reading:
//
//	kernel.go              the state, all of it, and the limits
//	trap.go                the way in and out: what every exception comes to
//	syscall.go             the system calls, by number
//	vm.go frames.go user.go   memory: the page table is the map
//	thread.go sched.go timer.go futex.go   who runs, who waits for what
//	signal.go              faults and signals, with Linux's frame
//	file.go pipe.go epoll.go uio.go text.go console.go   descriptors
//	clock.go vdso.go       time, also without entering the kernel
//	profile.go             SIGPROF, for profiles
//	random.go              getrandom
//	exec.go params.go image.go   how the program starts
//	print.go               what the kernel says itself
//
// Files ending in _arm are the machine: entry (boot_arm), vectors (trap_arm), page
// table and timer and interrupt controller and console (machine_arm, cpu_arm). On
// any other architecture machine_host.go takes their place, a simulated machine,
// which the tests and fuzzers of the portable part run on.
//
// # Principles
//
// Linux's interface, exactly, as far as Go needs it. What is not there says ENOSYS,
// and is counted; no call pretends.
//
// Nothing is allocated. Tables have fixed sizes; a program that needs more gets an
// error. Memory is promised strictly, so a page fault finds its frame, unless the program
// has given the page back before.
//
// One stack, no interrupts inside, no waiting. A system call that has to wait puts
// its thread into a queue and, for the most part, simply runs again later.
//
// The program can't hurt it. User memory is reached by walking the page table with
// the program's rights (translate); kernel data lies where user mode can't reach.
// A driver can, through its device's DMA: nothing stands between that and memory.
//
// Simple algorithms. There are a hundred threads, not a million.
//
// # Devices
//
// A board's peripherals appear as Linux's UIO shows them, so that their drivers run
// on Linux as well:
//
//	/dev/uioN                             open once at a time (EBUSY)
//	    mmap at offset 0                  registers
//	    mmap at offset 4096               DMA memory: contiguous, uncached, zeroed at boot
//	    read of 4 bytes                   waits for an interrupt, returns their count
//	    write of the 4-byte number 1 or 0 unmasks or masks the interrupt
//	/sys/class/uio/uioN/name
//	/sys/class/uio/uioN/maps/mapM/addr, size
//
// An interrupt is masked when it comes, until the driver unmasks it.
//
// Two more texts can be read: /proc/meminfo, as on Linux, and /proc/ingot, the
// kernel's counters, a line each.
package kernel
