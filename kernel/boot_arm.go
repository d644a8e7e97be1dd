package kernel

import "unsafe"

func theKernel() *Kernel { return (*Kernel)(unsafe.Pointer(uintptr(kernelAddr))) }

// enter is where the assembly calls Go on every exception from user mode.
func enter(kind uint32) *Context {
	k := theKernel()
	k.trap(kind)
	return &k.threads[k.cur].Context
}

// bug reports an exception inside the kernel and stops the machine. The address
// can be looked up in the image with go tool addr2line.
func bug(kind, pc, sp, lr uint32) {
	k := theKernel()
	status, addr := dataFault()
	if kind == trapPrefetch {
		status, addr = prefetchFault()
	}
	var b textBuffer
	b.field("\ningot: kernel bug: exception ", kind, " at 0x")
	b.hex(pc)
	b.string(", status 0x")
	b.hex(status)
	b.string(", address 0x")
	b.hex(addr)
	b.string(", sp 0x")
	b.hex(sp)
	b.string(", lr 0x")
	b.hex(lr)
	b.byte('\n')
	k.print(&b)
	k.halt(255)
}

// boot runs once, on a stack and page table that the assembly made. It returns
// the Context of the program's first thread.
func boot(b *Board) *Context {
	table := machine{}
	ram := b.RAMBase
	// The kernel's own megabyte, so that its data and its stack have holes around
	// them.
	own := ram + offTable
	zeroWords(table.ptr(own), tableSize)
	*table.word(ram + offL1 + kernelTable>>20<<2) = own | l1Table
	const private = pteNormal | pteKernel | pteXN
	mapOwn := func(va, pa, size, attr uint32) {
		for i := uint32(0); i < size; i += pageSize {
			*table.word(l2Slot(own, va+i)) = pa + i | attr
		}
	}
	img := table.findImage(ram + offImage)
	size := (uint32(unsafe.Sizeof(Kernel{})) + pageMask) &^ pageMask
	free := img.fileEnd
	zeroWords(table.ptr(free), size)
	mapOwn(kernelAddr, free, size, private)
	mapOwn(gPage, ram+offG, pageSize, private)
	mapOwn(stackLow, ram+offStack, stackHigh-stackLow, private)
	mapOwn(faultStack, ram+offFaultStack, pageSize, private)
	mapOwn(vectorPage, ram+offVectors, pageSize, pteNormal|pteKernel|pteRO)
	free += size
	setG(ram+offG, stackLow, stackHigh)
	setG(ram+offG+0x80, faultStack, faultStack+pageSize)
	vectors := ram + offVectors
	for i := uint32(0); i < 8; i++ {
		*table.word(vectors + i*4) = 0xe59ff018 // ldr pc, [pc, #24]
		*table.word(vectors + 32 + i*4) = vectorTarget(i)
	}
	cleanLine(vectors + directMap)
	cleanLine(vectors + directMap + 32)
	invalidateCode()
	invalidateTLB()
	setVectors(vectorPage)

	k := theKernel()
	k.machine = machine{
		gicd: b.GICD + deviceMap, gicc: b.GICC + deviceMap,
		uart: b.UART + deviceMap, uartIRQ: b.UARTIRQ,
		watchdog: b.Watchdog + deviceMap, timerAt: ^uint64(0),
	}
	k.init()
	for i := 0; i < len(b.SetUp); i++ {
		k.setUp(*b.SetUp[i])
	}
	k.stopPowerDown()
	k.initUART()
	k.initGIC()
	freq := frequency()
	if freq == 0 {
		k.giveUp("the boot loader has not set the timer's frequency (CNTFRQ)")
	}
	k.initClock(freq)
	k.vm = vm{l1: ram + offL1, next: mmapStart, ramStart: ram, ramEnd: ram + b.RAMSize,
		imageLo: ram, imageHi: img.end}

	dma := ram + b.RAMSize
	for i := range b.Devices {
		dma -= b.Devices[i].DMA
	}
	dma &^= mega - 1
	k.frames.init(free, dma)
	k.mapImage(&img)
	k.mapUncached(dma, ram+b.RAMSize)
	for i, at := 0, dma; i < len(b.Devices); i++ {
		k.addDevice(&b.Devices[i], at)
		at += b.Devices[i].DMA
	}

	allowUserCounter()
	k.unmaskIRQ(timerIRQ)
	k.unmaskIRQ(k.uartIRQ)
	block := (*[maxParams]byte)(unsafe.Pointer(uintptr(b.Params + deviceMap)))
	p := findParams(block[:])
	k.applyParams(p)
	for i := 0; i < len(b.Noise); i++ {
		k.gatherNoise(&b.Noise[i])
	}
	if !k.mapClock() || !k.start(b, p, rt0Addr()) {
		k.giveUp("the board's RAM is too small for this image")
	}
	wipe(block)
	k.loadFP(&k.threads[k.cur].FP)
	k.vfpOwner = k.cur
	k.armTimer()
	return &k.threads[k.cur].Context
}

// giveUp says why the program can't be started, and ends everything.
func (k *Kernel) giveUp(why string) {
	var b textBuffer
	b.string("ingot: ")
	b.string(why)
	b.byte('\n')
	k.print(&b)
	k.halt(255)
}

// setG writes the part of a runtime.g that function prologues look at, so that
// kernel code can be ordinary Go with stack checks. Its m stays nil: a check that
// fails ends in bug.
func setG(pa, lo, hi uint32) {
	const guard = 928 // as far below the mark as functions without a check may go
	var m machine
	*m.word(pa) = lo
	*m.word(pa + 4) = hi
	*m.word(pa + 8) = lo + guard
	*m.word(pa + 12) = lo + guard
}

// mapUncached makes the kernel's own view of DMA memory uncached too, as two views
// must agree, takes out of the cache what got there while it was mapped otherwise,
// and clears the memory. The program's half of the table shows none of it yet.
func (k *Kernel) mapUncached(lo, hi uint32) {
	const section = l1Section | 1<<12 | 1<<10 | 1<<4 // normal, uncached; privileged; XN
	for pa := lo; pa < hi; pa += mega {
		*k.l1Entry(pa + directMap) = pa | section
	}
	k.flushTLB()
	if hi > lo {
		discardLines(k.ptr(lo), hi-lo)
		k.syncTables()
		zeroWords(k.ptr(lo), hi-lo)
	}
}

// mapClock gives the program its clock page and the ELF image that leads Go's
// runtime to the code that reads it.
func (k *Kernel) mapClock() bool {
	if !k.frames.commit(2) {
		return false
	}
	k.clock.page = k.allocFrame()
	vdso := k.allocFrame()
	writeVDSO(k.ptr(vdso), unsafe.Pointer(uintptr(vdsoAddr())))
	for line := uint32(0); line < pageSize; line += 32 {
		cleanLine(vdso + directMap + line)
	}
	k.updateClockPage()
	ok := k.setEntry(clockPage, k.clock.page|pteRodata) && k.setEntry(vdsoPage, vdso|pteText)
	invalidateCode()
	return ok
}
