// Package uio drives devices from user mode through Linux's userspace I/O
// interface: registers and DMA memory are mapped, the interrupt is waited for
// with a read.
//
// An image's own kernel and a Linux host both offer it. For device N there are
//
//	/dev/uioN                           mmap at offset M*4096: memory region M
//	                                    read of 4 bytes: wait for an interrupt
//	                                    write of 4 bytes: 1 unmasks, 0 masks it
//	/sys/class/uio/uioN/name            the device's name
//	/sys/class/uio/uioN/maps/mapM/addr  physical address of region M
//	/sys/class/uio/uioN/maps/mapM/size  its size in bytes
//
// Region 0 holds the registers. Region 1, where there is one, is DMA memory:
// physically contiguous, not cached, zero at boot. The interrupt masks itself
// when it comes, until the driver unmasks it, so that a level-triggered line
// can wait for the driver to find its cause.
//
//	dev, err := uio.Open("enet1")
//	if err != nil {
//		return err
//	}
//	defer dev.Close()
//	for {
//		if err := dev.UnmaskWait(); err != nil {
//			return err // os.ErrClosed after Close
//		}
//		events := dev.Read32(eir)
//		...
//	}
//
// Waiting parks the goroutine on Go's own poller, no thread waits in the kernel.
//
// # Memory order
//
// On ARMv7, loads and stores to device memory stay in order among themselves,
// but not with those to the (normal, uncached) DMA memory. So [Device.Write32]
// and [Device.Write16] let every earlier store complete first (DSB): what was
// put into DMA memory is there before the doorbell rings. [Device.Read32] and
// [Device.Read16] hold later accesses back (DMB): what a status register
// announces is there to be read. A descriptor in DMA memory that changes hands
// by a word of its own is to be read and written with sync/atomic, which has a
// DMB on either side of a store and behind a load.
package uio
