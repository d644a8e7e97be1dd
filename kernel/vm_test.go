//go:build !arm

package kernel

import (
	"fmt"
	"strings"
	"testing"
)

const (
	rw        = protRead | protWrite
	anonymous = mapPrivate | mapAnonymous
	noFD      = ^uint32(0)
)

func (m *machineUnderTest) mmapCall(addr, size, prot, flags uint32) int32 {
	m.t.Helper()
	return m.call(sysMmap2, addr, size, prot, flags, noFD, 0)
}

func TestMmapPlacement(t *testing.T) {
	m := newTestKernel(t)
	a := uint32(m.mmapCall(0, 3*pageSize, rw, anonymous))
	b := uint32(m.mmapCall(0, 1, rw, anonymous))
	if a < mmapStart || a&pageMask != 0 || b != a+3*pageSize {
		t.Fatalf("mappings at %#x and %#x", a, b)
	}
	// A hint is followed if the place is free, and is only a hint.
	const hint = 0x30000000
	eq(t, "at a hint", uint32(m.mmapCall(hint, pageSize, rw, anonymous)), uint32(hint))
	if at := uint32(m.mmapCall(hint, pageSize, rw, anonymous)); at == hint || at&pageMask != 0 {
		t.Errorf("taken hint: %#x", at)
	}
	for _, bad := range []uint32{testText, clockPage, userEnd, 0xfffff000, stackEnd - pageSize} {
		if at := uint32(m.mmapCall(bad, pageSize, rw, anonymous)); at == bad || at >= mmapEnd {
			t.Errorf("hint %#x: %#x", bad, at)
		}
	}
	// What is unmapped is found again.
	m.wantCall(0, sysMunmap, a, 3*pageSize)
	eq(t, "after munmap", uint32(m.mmapCall(0, 3*pageSize, rw, anonymous)), a)
}

func TestMmapRefuses(t *testing.T) {
	m := newTestKernel(t)
	for _, c := range []struct {
		what                    string
		addr, size, prot, flags uint32
		want                    errno
	}{
		{"nothing", 0, 0, rw, anonymous, EINVAL},
		{"more than there is", 0, 0xc0001000, protRead &^ protRead, anonymous, ENOMEM},
		{"nearly everything", 0, 0xc0000000, 0, anonymous, ENOMEM},
		{"the largest size", 0, 0xffffffff, 0, anonymous, ENOMEM},
		{"executable", 0, pageSize, protRead | protExec, anonymous, EACCES},
		{"all rights", 0, pageSize, rw | protExec, anonymous, EACCES},
		{"shared", 0, pageSize, rw, mapShared | mapAnonymous, EINVAL},
		{"neither", 0, pageSize, rw, mapAnonymous, EINVAL},
		{"fixed, misaligned", mmapStart + 1, pageSize, rw, anonymous | mapFixed, EINVAL},
		{"fixed, page 0", 0, pageSize, rw, anonymous | mapFixed, EINVAL},
		{"fixed, text", testText, pageSize, rw, anonymous | mapFixed, EINVAL},
		{"fixed, last page of bss", testBSSEnd - pageSize, pageSize, rw, anonymous | mapFixed, EINVAL},
		{"fixed, across the image", testRAM - mega, 4 * mega, rw, anonymous | mapFixed, EINVAL},
		{"fixed, clock page", clockPage, pageSize, rw, anonymous | mapFixed, EINVAL},
		{"fixed, kernel", userEnd, pageSize, rw, anonymous | mapFixed, EINVAL},
		{"fixed, across the end", userEnd - pageSize, 2 * pageSize, rw, anonymous | mapFixed, EINVAL},
		{"fixed, around", 0xfffff000, 2 * pageSize, rw, anonymous | mapFixed, EINVAL},
		{"no file", 0, pageSize, rw, mapShared, EBADF},
	} {
		if got := m.mmapCall(c.addr, c.size, c.prot, c.flags); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
	eq(t, "of the console", m.call(sysMmap2, 0, pageSize, rw, mapShared, 1, 0), EINVAL)
}

// TestMegabytes maps, changes and unmaps around megabyte borders, where markers are
// split and tables come and go, and compares every page with what it should be.
func TestMegabytes(t *testing.T) {
	m := newTestKernel(t)
	const base, pages = 0x20000000, 4 * mega / pageSize
	none, reserved, ro, writable := byte('-'), byte('n'), byte('r'), byte('w')
	var model [pages]byte
	for i := range model {
		model[i] = none
	}
	set := func(first, n int, v byte) {
		for i := first; i < first+n; i++ {
			model[i] = v
		}
	}
	compare := func(step int) {
		t.Helper()
		for i := range model {
			va := uint32(base + i*pageSize)
			e, want := m.entry(va), model[i]
			got := none
			switch {
			case valid(e) && e&(pteUser|pteRO) == pteUser, !valid(e) && e&markWrite != 0:
				got = writable
			case valid(e) && e&(pteUser|pteRO) == pteUser|pteRO, !valid(e) && e&markRead != 0:
				got = ro
			case e != 0:
				got = reserved
			}
			if got != want {
				t.Fatalf("step %d: page %d is %c, want %c (entry %#x)", step, i, got, want, e)
			}
		}
	}
	kind := map[byte]uint32{reserved: 0, ro: protRead, writable: rw}
	for step, s := range []struct {
		op       string
		first, n int
		as       byte
	}{
		{"map", 0, 1024, reserved},
		{"map", 100, 300, writable},
		{"touch", 100, 300, 0},
		{"protect", 200, 100, ro},
		{"map", 256, 256, reserved},
		{"map", 256, 512, writable},
		{"touch", 300, 10, 0},
		{"protect", 0, 1024, reserved},
		{"protect", 256, 256, writable},
		{"unmap", 255, 258, none},
		{"map", 255, 1, writable},
		{"unmap", 0, 1024, none},
		{"unmap", 0, 1024, none},
		{"map", 256, 256, writable},
		{"protect", 300, 1, ro},
		{"touch", 310, 1, 0},
		{"map", 256, 256, writable},
		{"map", 511, 1, reserved},
		{"unmap", 256, 256, none},
	} {
		at, size := uint32(base+s.first*pageSize), uint32(s.n*pageSize)
		switch s.op {
		case "map":
			m.wantCall(int32(at), sysMmap2, at, size, kind[s.as], anonymous|mapFixed, noFD, 0)
		case "protect":
			m.wantCall(0, sysMprotect, at, size, kind[s.as])
		case "unmap":
			m.wantCall(0, sysMunmap, at, size)
		case "touch":
			for va := at; va < at+size; va += pageSize {
				if !m.store(va, va) {
					t.Fatalf("step %d: store at %#x", step, va)
				}
			}
			continue
		}
		set(s.first, s.n, s.as)
		compare(step)
	}
}

func TestMprotectIsAtomic(t *testing.T) {
	m := newTestKernel(t)
	a := m.mustMap(4)
	m.wantCall(0, sysMunmap, a+2*pageSize, pageSize)
	m.wantCall(ENOMEM, sysMprotect, a, 4*pageSize, protRead)
	if !m.store(a, 1) {
		t.Error("a refused mprotect has changed the first page")
	}
	m.wantCall(EACCES, sysMprotect, a, pageSize, protRead|protExec)
	m.wantCall(EINVAL, sysMprotect, a+1, pageSize, protRead)
	m.wantCall(EINVAL, sysMprotect, testText, pageSize, rw)
	m.wantCall(0, sysMprotect, a, 0, protRead)

	// More than can be promised.
	huge := uint32(m.mmapCall(0, 64*mega, 0, anonymous))
	committed := m.frames.committed
	m.wantCall(ENOMEM, sysMprotect, huge, 64*mega, rw)
	eq(t, "committed after a refusal", m.frames.committed, committed)
	m.wantCall(0, sysMprotect, huge+5*pageSize, pageSize, rw)
	eq(t, "committed", m.frames.committed, committed+1)
}

// TestContentsKept: mprotect keeps a page, madvise and mmap give a fresh one.
func TestContentsKept(t *testing.T) {
	m := newTestKernel(t)
	a := m.mustMap(2)
	m.store(a, 0x1234)
	for _, prot := range []uint32{0, protRead, rw} {
		m.wantCall(0, sysMprotect, a, 2*pageSize, prot)
		if _, ok := m.getWord(a); ok != (prot != 0) {
			t.Errorf("with rights %d the kernel reads the page: %v", prot, ok)
		}
	}
	eq(t, "contents after mprotect", m.peek(a), 0x1234)
	used := m.frames.used
	m.wantCall(0, sysMadvise, a, 2*pageSize, 8) // MADV_FREE: allowed to do nothing
	eq(t, "contents after other advice", m.peek(a), 0x1234)
	m.wantCall(0, sysMadvise, a, 2*pageSize, madvDontNeed)
	eq(t, "frames after madvise", m.frames.used, used-1)
	eq(t, "contents after madvise", m.peek(a), 0)
	m.store(a, 7)
	m.wantCall(int32(a), sysMmap2, a, pageSize, rw, anonymous|mapFixed, noFD, 0)
	eq(t, "contents after mmap", m.peek(a), 0)
	m.wantCall(EINVAL, sysMadvise, testData, pageSize, madvDontNeed)
	m.wantCall(EINVAL, sysMadvise, a+4, pageSize, madvDontNeed)
}

// TestStrictCommit promises all that there is, and then touches all of it.
func TestStrictCommit(t *testing.T) {
	m := newTestKernel(t)
	var got []uint32
	n := uint32(0)
	for size := uint32(64); size > 0; {
		at := m.mmapCall(0, size*pageSize, rw, anonymous)
		if at == ENOMEM {
			size /= 2
			continue
		}
		got = append(got, uint32(at), size)
		n += size
	}
	eq(t, "promised", m.frames.committed, m.frames.limit)
	m.wantCall(ENOMEM, sysMmap2, 0, pageSize, rw, anonymous, noFD, 0)
	m.wantCall(ENOMEM, sysPipe2, m.scratch)
	// Reserving is free, and spends tables on purpose: a page in every megabyte.
	for va := uint32(mmapStart) + 512*mega; va < mmapEnd-mega; va += mega {
		m.wantCall(int32(va+pageSize), sysMmap2, va+pageSize, pageSize, 0, anonymous|mapFixed, noFD, 0)
	}
	for i := 0; i < len(got); i += 2 {
		for va := got[i]; va < got[i]+got[i+1]*pageSize; va += pageSize {
			if !m.store(va, va) {
				t.Fatalf("a promised page at %#x did not come", va)
			}
		}
	}
	for va := uint32(stackEnd - stackSize); va < stackEnd; va += pageSize {
		if !m.store(va, va) {
			t.Fatalf("a page of the stack at %#x did not come", va)
		}
	}
	m.check()
	for i := 0; i < len(got); i += 2 {
		eq(t, "contents", m.peek(got[i]), got[i])
		m.wantCall(0, sysMunmap, got[i], got[i+1]*pageSize)
	}
	m.mustMap(n)
}

// TestGivenBack: pages that were given back are promised to others, and come again while
// there is room. After that the program ends, and says why.
func TestGivenBack(t *testing.T) {
	for _, touch := range []func(m *machineUnderTest, va uint32){
		func(m *machineUnderTest, va uint32) { m.store(va, 1) },
		func(m *machineUnderTest, va uint32) { m.getWord(va) }, // the kernel itself, in a system call
	} {
		m := newTestKernel(t)
		before := m.frames.committed
		// A megabyte with pages before and behind it, one of them touched, one without rights.
		a, n := uint32(mmapStart+16*mega-4*pageSize), uint32(mega/pageSize+8)
		m.mustCall(sysMmap2, a, n*pageSize, rw, anonymous|mapFixed, noFD, 0)
		lo, hi := a+3*pageSize, a+(n-2)*pageSize
		m.store(lo, 7)
		m.wantCall(0, sysMprotect, hi-pageSize, pageSize, 0)
		eq(t, "promised", m.frames.committed, before+n)
		for range 2 {
			m.wantCall(0, sysMadvise, lo, hi-lo, madvDontNeed)
			eq(t, "promised, given back", m.frames.committed, before+n-(hi-lo)/pageSize)
			m.check()
		}
		eq(t, "contents", m.peek(lo), 0)
		m.store(lo+mega, 7)
		eq(t, "promised, touched again", m.frames.committed, before+n-(hi-lo)/pageSize+2)
		m.wantCall(0, sysMprotect, lo, 4*pageSize, rw)
		eq(t, "promised by mprotect", m.frames.committed, before+n-(hi-lo)/pageSize+5)
		m.check()
		m.mustMap(m.frames.limit - m.frames.committed)
		touch(m, lo+8*pageSize)
		m.expectExit(128 + sigKILL)
		if text := string(m.output); !strings.Contains(text, "out of memory") || !strings.Contains(text, fmt.Sprintf("%x", lo+8*pageSize)) {
			t.Errorf("console: %q", text)
		}
	}
}

func TestImagePages(t *testing.T) {
	m := newTestKernel(t)
	for _, c := range []struct {
		what        string
		va          uint32
		read, write bool
	}{
		{"page 0", 0, false, false},
		{"before the image", testRAM, false, false},
		{"ELF header", testText - pageSize, false, false}, // the linker's segments include it; this image's don't
		{"text", testText, true, false},
		{"end of text", testText + 0x2000, true, false},
		{"rodata", testRodata, true, false},
		{"data", testData, true, true},
		{"bss", testData + 0x1800, true, true},
		{"last of bss", testBSSEnd - 4, true, true},
		{"behind the image", testBSSEnd, false, false},
		{"frames", testPool, false, false},
		{"DMA memory", testDMA, false, false},
		{"stack", stackEnd - 4, true, true},
		{"above the stack", stackEnd, false, false},
		{"below the stack", stackEnd - stackSize - 4, false, false},
		{"clock page", clockPage, true, false},
		{"vDSO", vdsoPage, true, false},
		{"kernel", userEnd, false, false},
		{"the last word", 0xfffffffc, false, false},
	} {
		if _, ok := m.getWord(c.va); ok != c.read {
			t.Errorf("%s: the kernel may read it for the program: %v", c.what, ok)
		}
		if _, ok := m.translate(c.va, true); ok != c.write {
			t.Errorf("%s: the kernel may write it for the program: %v", c.what, ok)
		}
	}
	eq(t, "data from the file", m.peek(testData), 0xaaaaaaaa)
	eq(t, "the page that data and bss share", m.peek(testData+0x1800), 0)
	eq(t, "bss", m.peek(testBSSEnd-4), 0)
	for va := uint32(testText); va < testBSSEnd; va += pageSize {
		if e := m.entry(va); valid(e) && e&pteXN == 0 && e&pteRO == 0 {
			t.Errorf("page %#x is writable and executable", va)
		}
	}
	m.wantCall(EINVAL, sysMunmap, testText, pageSize)
	m.wantCall(EINVAL, sysMunmap, testRAM-pageSize, 2*mega)
}

// TestLargeBSS: megabytes that are bss and nothing else take no table before they are
// touched, and count as promised all the same.
func TestLargeBSS(t *testing.T) {
	k := new(Kernel)
	k.machine = machine{ram: make([]byte, testSize), ramBase: testRAM, timerAt: ^uint64(0), masked: map[uint32]bool{}}
	writeTestImage(&k.machine)
	k.init()
	img := k.findImage(testRAM + 0xf000)
	data := &img.segments[img.n-1]
	data.end = testRAM + 3*mega + 0x1234
	img.end = testRAM + 3*mega + 0x2000
	k.vm = vm{l1: testRAM + 0x4000, next: mmapStart, ramStart: testRAM, ramEnd: testRAM + testSize, imageLo: testRAM, imageHi: img.end}
	k.frames.init(testPool, testDMA)
	k.mapImage(&img)
	for i, table := range []bool{true, false, false, true} {
		if e := *k.l1Entry(testRAM + uint32(i)*mega); (e&3 == l1Table) != table || e == 0 {
			t.Errorf("megabyte %d: its entry is %#x, want a table: %v", i, e, table)
		}
	}
	eq(t, "behind the image", *k.l1Entry(testRAM + 4*mega), 0)
	for va := (data.file + pageMask) &^ uint32(pageMask); va < img.end; va += pageSize {
		eq(t, fmt.Sprintf("page at %#x", va), k.entry(va), marker(protRead|protWrite))
	}
	eq(t, "behind bss", k.entry(img.end), 0)
	eq(t, "promised", k.frames.committed, k.countCommitted(testRAM, testRAM+testSize))
	eq(t, "promised pages", k.frames.committed, (img.end-(data.file+pageMask)&^pageMask)>>pageShift)
	for _, va := range []uint32{testRAM + mega, testRAM + 2*mega - 4, testRAM + 2*mega, img.end - 4} {
		if !k.putWord(va, va) {
			t.Fatalf("%#x can't be written", va)
		}
	}
	eq(t, "promised after some was used", k.frames.committed, k.countCommitted(testRAM, testRAM+testSize))
}
