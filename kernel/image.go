package kernel

// image is what the ELF header in RAM says of the program.
type image struct {
	segments [4]segment
	n        int
	fileEnd  uint32 // end of what the loader has brought, rounded up to pages
	end      uint32 // with bss
}

type segment struct{ start, file, end, flags uint32 }

// fileEnd is where the pages end that something was loaded to.
func (s *segment) fileEnd() uint32 { return (s.file + pageMask) &^ pageMask }

const (
	segmentExec  = 1
	segmentWrite = 2
)

// findImage reads the program headers of the ELF header at pa, which is its
// address too.
func (m *machine) findImage(pa uint32) image {
	var img image
	const (
		load    = 1
		phoff   = 28
		phnum   = 44
		phentry = 32
	)
	ph := pa + *m.word(pa + phoff)
	for n := *m.word(pa + phnum) & 0xffff; n > 0 && img.n < len(img.segments); n-- {
		if *m.word(ph) == load {
			vaddr, filesz, memsz := *m.word(ph + 8), *m.word(ph + 16), *m.word(ph + 20)
			img.segments[img.n] = segment{vaddr, vaddr + filesz, vaddr + memsz, *m.word(ph + 24)}
			img.n++
			img.fileEnd = max(img.fileEnd, (vaddr+filesz+pageMask)&^pageMask)
			img.end = max(img.end, (vaddr+memsz+pageMask)&^pageMask)
		}
		ph += phentry
	}
	return img
}

// mapImage replaces the sections that showed RAM to boot code at its own address
// by what the program may see: its segments, page by page, and room for its bss.
// What was loaded of data shares its last page with bss, which starts as zeros.
func (k *Kernel) mapImage(img *image) {
	for i := 0; i < img.n; i++ {
		s := &img.segments[i]
		if s.flags&segmentWrite == 0 {
			continue
		}
		p := s.file
		for ; p&3 != 0; p++ {
			*(*byte)(k.ptr(p)) = 0
		}
		for ; p < s.fileEnd(); p += 4 {
			*k.word(p) = 0
		}
	}
	for va := k.vm.ramStart; va < k.vm.ramEnd; va += mega {
		l1 := uint32(0)
		if va < img.end {
			l1 = k.imageEntry(va, img)
		}
		*k.l1Entry(va) = l1
	}
	k.flushTLB()
}

// imageEntry returns the level-1 entry of a megabyte: a table, or a marker for one that is
// bss and nothing else.
func (k *Kernel) imageEntry(mb uint32, img *image) uint32 {
	const bss = markMapped | markRead | markWrite | markCommit
	for i := 0; i < img.n; i++ {
		s := &img.segments[i]
		if s.flags&segmentWrite != 0 && mb >= s.fileEnd() && mb+mega <= s.end {
			k.frames.commit(mega >> pageShift)
			return bss
		}
	}
	table := k.allocTable(0)
	for i := 0; i < img.n; i++ {
		s := &img.segments[i]
		attributes := uint32(pteRodata)
		switch {
		case s.flags&segmentExec != 0:
			attributes = pteText
		case s.flags&segmentWrite != 0:
			attributes = pteData
		}
		va, hi := max(s.start&^pageMask, mb), min((s.end+pageMask)&^pageMask, mb+mega)
		for file := s.fileEnd(); va < hi && va < file; va += pageSize {
			*k.word(l2Slot(table, va)) = va | attributes
		}
		if s.flags&segmentWrite == 0 {
			continue
		}
		for ; va < hi; va += pageSize {
			*k.word(l2Slot(table, va)) = bss
			k.frames.commit(1)
		}
	}
	return table | l1Table
}
