package kernel

const (
	pageShift = 12
	pageSize  = 1 << pageShift
	pageMask  = pageSize - 1
	mega      = 1 << 20
)

// frames hands out page frames. Free ones form a list that runs through the
// frames themselves: a frame's first word is the physical address of the next
// free one. Frames that were never used yet are not on the list but above fresh,
// so that boot does not have to touch all of RAM.
//
// Commit accounting is strict: a mapping that a program may write counts its
// pages when it is made, not when they are touched, and is refused when the count
// would pass what RAM can hold. So a page fault finds its frame, and running out of
// memory is an error return. There is one exception: pages that the program has given back
// (madvise) count no more until it touches them again. Go keeps its heap mapped for good,
// and counts in its GOMEMLIMIT what it hasn't given back.
type frames struct {
	first, end uint32 // the pool, physical addresses
	fresh      uint32 // [fresh, end) was never used
	free       uint32 // list of freed frames; 0 = empty

	used      uint32 // frames handed out
	committed uint32 // frames promised
	limit     uint32 // most frames that may be promised

	tables uint32 // list of free level-2 tables, four to a frame; 0 = empty
}

func (f *frames) init(first, end uint32) {
	*f = frames{first: first, end: end, fresh: first}
	// Level-2 tables come out of the same pool but nobody commits to them.
	// Hold back one for every megabyte of user space, four to a frame.
	total := (end - first) >> pageShift
	const tables = (userEnd / mega) / 4
	if total > tables {
		f.limit = total - tables
	}
}

// commit promises n frames, or says no.
func (f *frames) commit(n uint32) bool {
	if n > f.limit-f.committed {
		return false
	}
	f.committed += n
	return true
}

func (f *frames) uncommit(n uint32) { f.committed -= n }

// owns tells whether pa is a frame of the pool, not a device, an image page or
// DMA memory.
func (f *frames) owns(pa uint32) bool { return pa >= f.first && pa < f.end }

// allocFrame returns a zeroed frame, or 0 when there is none.
func (k *Kernel) allocFrame() uint32 {
	f := &k.frames
	pa := f.free
	switch {
	case pa != 0:
		f.free = *k.word(pa)
	case f.fresh < f.end:
		pa = f.fresh
		f.fresh += pageSize
	default:
		return 0
	}
	f.used++
	k.zeroPage(pa)
	return pa
}

func (k *Kernel) freeFrame(pa uint32) {
	*k.word(pa) = k.frames.free
	k.frames.free = pa
	k.frames.used--
}

const tableSize = 1024 // a level-2 table: 256 entries, one megabyte

// allocTable returns a level-2 table with every entry set to fill, or 0.
func (k *Kernel) allocTable(fill uint32) uint32 {
	f := &k.frames
	if f.tables == 0 {
		pa := k.allocFrame()
		if pa == 0 {
			return 0
		}
		for i := uint32(0); i < pageSize; i += tableSize {
			k.freeTable(pa + i)
		}
	}
	pa := f.tables
	f.tables = *k.word(pa)
	for i := uint32(0); i < tableSize; i += 4 {
		*k.word(pa + i) = fill
	}
	return pa
}

func (k *Kernel) freeTable(pa uint32) {
	*k.word(pa) = k.frames.tables
	k.frames.tables = pa
}
