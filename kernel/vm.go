package kernel

import "ingot.dev/kernel/layout"

// The address space of the program, and the kernel's above it:
//
//	0x00000000  never mapped, so that nil dereferences fault
//	0x10000000  mmap takes its addresses from here up
//	0x80010000  the image: text, rodata, data, bss (linked here; RAM's own address)
//	0xBFE00000  stack of the first thread, 1 MB, a hole below it
//	0xBFFFE000  clock page and vDSO, read-only
//	0xC0000000  end of user space; all of RAM, for the kernel only
//	0xF0000000  the devices that the kernel drives
//	0xFFF00000  Kernel, its stack between two holes, the vectors
//
// The page table itself is the map: there is no other record of what is mapped.
// An invalid entry (low two bits 0) that isn't 0 is a marker that says what would
// be there. At level 1 it speaks for a whole megabyte, so that Go's reservations
// of hundreds of megabytes cost nothing.
const (
	userStart = layout.UserStart
	userEnd   = layout.UserEnd
	mmapStart = layout.MmapStart
	mmapEnd   = layout.MmapEnd
	stackEnd  = layout.StackEnd
	stackSize = layout.StackSize
	clockPage = layout.ClockPage
	vdsoPage  = layout.VDSOPage
)

// Markers of pages that have no frame.
const (
	markMapped = 1 << 2 // reserved at least
	markRead   = 1 << 3
	markWrite  = 1 << 4
	markCommit = 1 << 5 // counted in frames.committed
)

// A page that may be read and isn't counted has been given back by madvise: it is counted
// again when it is touched. All others come filled with zeros then, too.

// Page table entries, short-descriptor format (ARM ARM B3.5).
const (
	l1Table   = 1
	l1Section = 2

	pteValid  = 2
	pteXN     = 1 << 0
	pteB      = 1 << 2
	pteC      = 1 << 3
	pteTEX0   = 1 << 6
	pteKernel = 1 << 4 // AP: privileged only
	pteUser   = 3 << 4 // AP: and user
	pteRO     = 1 << 9

	pteNormal   = pteValid | pteTEX0 | pteC | pteB // write-back, write-allocate
	pteUncached = pteValid | pteTEX0 | pteXN
	pteDevice   = pteValid | pteB | pteXN

	pteData   = pteNormal | pteUser | pteXN
	pteRodata = pteNormal | pteUser | pteRO | pteXN
	pteText   = pteNormal | pteUser | pteRO
	pteHidden = pteNormal | pteKernel | pteXN // PROT_NONE, contents kept
)

type vm struct {
	l1       uint32 // physical address of the level-1 table
	next     uint32 // where to look first for free addresses
	imageLo  uint32 // the image, whose mappings never change
	imageHi  uint32
	ramStart uint32 // what translate may reach
	ramEnd   uint32
}

const (
	protRead  = 1
	protWrite = 2
	protExec  = 4

	mapShared    = 1
	mapPrivate   = 2
	mapFixed     = 0x10
	mapAnonymous = 0x20

	madvDontNeed = 4
)

func valid(e uint32) bool { return e&3 != 0 }

// marker is what an anonymous mapping with these rights looks like untouched.
func marker(prot uint32) uint32 {
	m := uint32(markMapped)
	if prot&(protRead|protWrite) != 0 {
		m |= markRead | markCommit
	}
	if prot&protWrite != 0 {
		m |= markWrite
	}
	return m
}

// pageFor is the entry of a frame that takes the place of marker m.
func pageFor(m, pa uint32) uint32 {
	switch {
	case m&markWrite != 0:
		return pa | pteData
	case m&markRead != 0:
		return pa | pteRodata
	}
	return pa | pteHidden
}

func (k *Kernel) l1Entry(va uint32) *uint32 { return k.word(k.vm.l1 + va>>20<<2) }

func l2Slot(table, va uint32) uint32 { return table&^(tableSize-1) + (va>>12&0xff)<<2 }

// entry is the page table's word on va: a page, a marker or 0.
func (k *Kernel) entry(va uint32) uint32 {
	e := *k.l1Entry(va)
	if e&3 == l1Table {
		return *k.word(l2Slot(e, va))
	}
	return e
}

// setEntry changes one page, splitting a megabyte-wide marker if it must. It
// fails only for want of a level-2 table.
func (k *Kernel) setEntry(va, e uint32) bool {
	l1 := k.l1Entry(va)
	if *l1&3 != l1Table {
		table := k.allocTable(*l1)
		if table == 0 {
			return false
		}
		*l1 = table | l1Table
	}
	*k.word(l2Slot(*l1, va)) = e
	return true
}

// committed tells whether a page counts in frames.committed.
func (k *Kernel) committed(e uint32) bool {
	if valid(e) {
		return k.frames.owns(e)
	}
	return e&markCommit != 0
}

// countCommitted counts the committed pages of [lo, hi).
func (k *Kernel) countCommitted(lo, hi uint32) uint32 {
	n := uint32(0)
	for va := lo; va < hi; {
		if e := *k.l1Entry(va); !valid(e) {
			end := min(va&^(mega-1)+mega, hi)
			if e&markCommit != 0 {
				n += (end - va) >> pageShift
			}
			va = end
			continue
		}
		if k.committed(k.entry(va)) {
			n++
		}
		va += pageSize
	}
	return n
}

// replace drops whatever [lo, hi) holds and puts marker m (0 = nothing) there.
// The caller has settled the accounts.
func (k *Kernel) replace(lo, hi, m uint32) bool {
	ok := true
	for va := lo; va < hi; {
		l1 := k.l1Entry(va)
		if va&(mega-1) == 0 && hi-va >= mega {
			e := *l1
			*l1 = m
			if e&3 == l1Table {
				for i := uint32(0); i < mega; i += pageSize {
					k.dropFrame(*k.word(l2Slot(e, va+i)))
				}
				k.freeTable(e &^ (tableSize - 1))
			}
			va += mega
			continue
		}
		k.dropFrame(k.entry(va))
		if *l1 != m && !k.setEntry(va, m) {
			ok = false
		}
		va += pageSize
	}
	k.flushRange(lo, hi)
	return ok
}

func (k *Kernel) dropFrame(e uint32) {
	if valid(e) && k.frames.owns(e) {
		k.freeFrame(e &^ pageMask)
	}
}

// flushRange makes the processor forget translations of [lo, hi).
func (k *Kernel) flushRange(lo, hi uint32) {
	if hi-lo > 16*pageSize {
		k.flushTLB()
		return
	}
	for va := lo; va < hi; va += pageSize {
		k.flushPage(va)
	}
}

// userRange checks that [addr, addr+size) is a range whose mappings the program
// may change, and rounds it to pages.
func (k *Kernel) userRange(addr, size uint32) (lo, hi uint32, ok bool) {
	hi = (addr + size + pageMask) &^ pageMask
	if addr&pageMask != 0 || size == 0 || hi <= addr || addr < userStart || hi > stackEnd {
		return 0, 0, false
	}
	if addr < k.vm.imageHi && hi > k.vm.imageLo {
		return 0, 0, false
	}
	return addr, hi, true
}

// findFree finds size bytes of unmapped addresses in [lo, hi).
func (k *Kernel) findFree(lo, hi, size uint32) (uint32, bool) {
	start, va := lo, lo
	for va < hi {
		step := uint32(pageSize)
		used := true
		if e := *k.l1Entry(va); !valid(e) {
			step = mega - va&(mega-1)
			used = e != 0
		} else {
			used = k.entry(va) != 0
		}
		va += step
		if used {
			start = va
		} else if va-start >= size {
			return start, start+size <= hi
		}
	}
	return 0, false
}

func (k *Kernel) isFree(lo, hi uint32) bool {
	at, ok := k.findFree(lo, hi, hi-lo)
	return ok && at == lo
}

func (k *Kernel) pickAddress(hint, size uint32) (uint32, bool) {
	if lo, hi, ok := k.userRange(hint, size); ok && k.isFree(lo, hi) {
		return hint, true
	}
	if at, ok := k.findFree(k.vm.next, mmapEnd, size); ok {
		return at, true
	}
	if at, ok := k.findFree(mmapStart, mmapEnd, size); ok {
		return at, true
	}
	return k.findFree(k.vm.imageHi, stackEnd-stackSize-mega, size)
}

// mmap implements anonymous private mappings and the mapping of devices.
// Nothing but the image's text is ever executable.
func (k *Kernel) mmap(addr, length, prot, flags, fd, page uint32) uint32 {
	if length == 0 {
		return result(EINVAL)
	}
	if length > userEnd {
		return result(ENOMEM)
	}
	size := (length + pageMask) &^ pageMask
	if prot&protExec != 0 {
		return result(EACCES)
	}
	if flags&mapAnonymous == 0 {
		return k.mapDevice(addr, size, prot, flags, fd, page)
	}
	if flags&(mapShared|mapPrivate) != mapPrivate {
		return result(EINVAL)
	}
	lo, errno := k.placeMapping(addr, size, flags)
	if errno != 0 {
		return result(errno)
	}
	hi := lo + size
	m := marker(prot)
	if errno := k.account(lo, hi, m); errno != 0 {
		return result(errno)
	}
	if !k.replace(lo, hi, m) {
		return result(ENOMEM)
	}
	return lo
}

// placeMapping chooses the addresses of a new mapping.
func (k *Kernel) placeMapping(addr, size, flags uint32) (uint32, errno) {
	if flags&mapFixed != 0 {
		if _, _, ok := k.userRange(addr, size); !ok {
			return 0, EINVAL
		}
		return addr, 0
	}
	at, ok := k.pickAddress(addr&^pageMask, size)
	if !ok {
		return 0, ENOMEM
	}
	if at >= mmapStart && at < mmapEnd {
		k.vm.next = at + size
	}
	return at, 0
}

// account commits to the pages of [lo, hi) if marker m promises them, and
// releases those that it replaces.
func (k *Kernel) account(lo, hi, m uint32) errno {
	had := k.countCommitted(lo, hi)
	k.frames.uncommit(had)
	if m&markCommit != 0 && !k.frames.commit((hi-lo)>>pageShift) {
		k.frames.committed += had
		return ENOMEM
	}
	return 0
}

func (k *Kernel) munmap(addr, length uint32) errno {
	lo, hi, ok := k.userRange(addr, length)
	if !ok {
		return EINVAL
	}
	k.frames.uncommit(k.countCommitted(lo, hi))
	if !k.replace(lo, hi, 0) {
		return ENOMEM
	}
	if k.vm.next > lo && lo >= mmapStart {
		k.vm.next = lo
	}
	return 0
}

func (k *Kernel) mprotect(addr, length, prot uint32) errno {
	if length == 0 {
		return 0
	}
	lo, hi, ok := k.userRange(addr, length)
	if !ok {
		return EINVAL
	}
	if prot&protExec != 0 {
		return EACCES
	}
	m := marker(prot)
	// First what could fail: every page must be mapped and the new commitments
	// must be met. Then change.
	fresh := uint32(0)
	for va := lo; va < hi; va += pageSize {
		e := k.entry(va)
		if e == 0 {
			return ENOMEM
		}
		if valid(e) && !k.frames.owns(e) {
			return EACCES // a device
		}
		if m&markCommit != 0 && !k.committed(e) {
			fresh++
		}
	}
	if !k.frames.commit(fresh) {
		return ENOMEM
	}
	for va := lo; va < hi; {
		l1 := k.l1Entry(va)
		if !valid(*l1) && va&(mega-1) == 0 && hi-va >= mega {
			*l1 = m | *l1&markCommit
			va += mega
			continue
		}
		e := k.entry(va)
		if valid(e) {
			e = pageFor(m, e&^pageMask)
		} else {
			e = m | e&markCommit
		}
		if !k.setEntry(va, e) {
			return ENOMEM
		}
		va += pageSize
	}
	k.flushRange(lo, hi)
	return 0
}

// madvise gives frames back on MADV_DONTNEED, and what was promised of them; other advice
// is taken without effect, as Linux may.
func (k *Kernel) madvise(addr, length, advice uint32) errno {
	if advice != madvDontNeed {
		return 0
	}
	if length == 0 {
		return 0
	}
	lo, hi, ok := k.userRange(addr, length)
	if !ok {
		return EINVAL
	}
	for va := lo; va < hi; {
		if e := k.l1Entry(va); !valid(*e) && (*e&markCommit == 0 || va&(mega-1) == 0 && hi-va >= mega) {
			end := va&^(mega-1) + mega
			k.frames.uncommit(k.countCommitted(va, end))
			*e &^= markCommit
			va = end
			continue
		}
		if e := k.entry(va); valid(e) && k.frames.owns(e) {
			m := uint32(markMapped)
			switch e & (pteUser | pteRO) {
			case pteUser:
				m |= markRead | markWrite
			case pteUser | pteRO:
				m |= markRead
			}
			k.setEntry(va, m)
			k.freeFrame(e &^ pageMask)
			k.frames.uncommit(1)
		} else if !valid(e) && e&markCommit != 0 && k.setEntry(va, e&^markCommit) {
			k.frames.uncommit(1)
		}
		va += pageSize
	}
	k.flushRange(lo, hi)
	return 0
}

// fault gives va its frame if the access is allowed. It reports whether the access may be
// tried again. There is no errno for a load or store: if the page was given back, and RAM
// is promised to others by now, the program ends.
func (k *Kernel) fault(va uint32, write bool) bool {
	e := k.entry(va)
	if valid(e) || e&markRead == 0 || write && e&markWrite == 0 {
		return false
	}
	if e&markCommit == 0 && !k.frames.commit(1) {
		k.outOfMemory(va)
		return false
	}
	pa := k.allocFrame()
	if pa == 0 {
		return false // strict accounting rules this out
	}
	if !k.setEntry(va, pageFor(e, pa)) {
		k.freeFrame(pa)
		return false
	}
	k.syncTables()
	k.stats.PageFaults++
	return true
}

// outOfMemory ends the program as Linux's OOM killer would.
func (k *Kernel) outOfMemory(va uint32) {
	var b textBuffer
	b.field("ingot: out of memory: all ", k.frames.limit>>(20-pageShift), " MB are in use, and a page that was given back is wanted again, address 0x")
	b.hex(va)
	b.byte('\n')
	k.print(&b)
	k.exit(128 + sigKILL)
}

// mapped tells SEGV_ACCERR from SEGV_MAPERR.
func (k *Kernel) mapped(va uint32) bool { return va < userEnd && k.entry(va) != 0 }

// translate finds the physical address of a byte of the program's memory if the
// program itself may read (or write) it. All access of the kernel to user memory
// goes through here: it can't fault, and it can't be talked into more than the
// program's own rights.
func (k *Kernel) translate(va uint32, write bool) (uint32, bool) {
	if va < userStart || va >= userEnd {
		return 0, false
	}
	e := k.entry(va)
	if !valid(e) {
		if !k.fault(va, write) {
			return 0, false
		}
		e = k.entry(va)
	}
	if e&pteUser != pteUser || write && e&pteRO != 0 {
		return 0, false
	}
	pa := e&^pageMask | va&pageMask
	if pa < k.vm.ramStart || pa >= k.vm.ramEnd {
		return 0, false // a device's registers
	}
	return pa, true
}
