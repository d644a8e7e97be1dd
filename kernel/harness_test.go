//go:build !arm

package kernel

import (
	"encoding/binary"
	"fmt"
	"testing"
	"unsafe"
)

// The simulated machine of the tests: some RAM at the board's address, with the
// header of a small image in it, and two devices, of which the first has DMA
// memory.
const (
	testRAM  = 0x80000000
	testSize = 8 << 20
	testDMA  = testRAM + testSize - mega // one megabyte, the last

	testText   = testRAM + 0x10000
	testRodata = testRAM + 0x13000
	testData   = testRAM + 0x15000 // 0x1800 bytes from the file, 0x3800 of bss
	testBSSEnd = testRAM + 0x1a000
	testPool   = testRAM + 0x20000

	// Where the threads of the tests make their system calls.
	testSVC = testText + 0x100
)

var testBoard = Board{
	Name:    "test",
	RAMBase: testRAM,
	RAMSize: testSize,
	Devices: []Device{
		{Name: "first", Regs: 0x02188000, Size: 0x4000, IRQ: 150, DMA: 0x8000},
		{Name: "second-with-a-long-name", Regs: 0x020b4000, Size: 0x1000, IRQ: 152},
		{Name: "third", Regs: 0x020bc000, Size: 0x1000},
	},
}

// A machineUnderTest is a kernel and its program.
type machineUnderTest struct {
	*Kernel
	t       testing.TB
	scratch uint32 // address of 16 pages of the program's memory
}

// bootKernel does what boot does on the real machine.
func bootKernel(p params) *Kernel {
	k := new(Kernel)
	k.machine = machine{ram: make([]byte, testSize), ramBase: testRAM, timerAt: ^uint64(0), masked: map[uint32]bool{}}
	writeTestImage(&k.machine)
	k.init()
	k.initClock(62_500_000)
	img := k.findImage(testRAM + 0xf000)
	k.vm = vm{l1: testRAM + 0x4000, next: mmapStart, ramStart: testRAM, ramEnd: testRAM + testSize,
		imageLo: testRAM, imageHi: img.end}
	k.frames.init(testPool, testDMA)
	k.mapImage(&img)
	at := uint32(testDMA)
	for i := range testBoard.Devices {
		k.addDevice(&testBoard.Devices[i], at)
		at += testBoard.Devices[i].DMA
	}
	k.applyParams(p)
	if !k.frames.commit(2) {
		panic("no room for the clock page")
	}
	k.clock.page = k.allocFrame()
	k.updateClockPage()
	if !k.setEntry(clockPage, k.clock.page|pteRodata) || !k.setEntry(vdsoPage, k.allocFrame()|pteText) {
		panic("no room for the clock page")
	}
	if !k.start(&testBoard, p, testText) {
		panic("no room for the stack")
	}
	k.threads[k.cur].PC = testSVC
	k.leave()
	return k
}

// writeTestImage puts an ELF header where the linker would.
func writeTestImage(m *machine) {
	le := binary.LittleEndian
	h := m.ram[0xf000:]
	le.PutUint32(h[28:], 52)
	le.PutUint16(h[44:], 4)
	for i, p := range [][5]uint32{ // type, address, size in the file, in memory, flags
		{4, 0, 0, 0, 4},
		{1, testText, 0x2004, 0x2004, 5},
		{1, testRodata, 0x1100, 0x1100, 4},
		{1, testData, 0x1800, testBSSEnd - testData, 6},
	} {
		ph := h[52+32*i:]
		le.PutUint32(ph[0:], p[0])
		le.PutUint32(ph[8:], p[1])
		le.PutUint32(ph[16:], p[2])
		le.PutUint32(ph[20:], p[3])
		le.PutUint32(ph[24:], p[4])
	}
	for i := testText; i < testPool; i++ {
		m.ram[i-testRAM] = 0xaa // what was left in RAM is not zero
	}
}

func seedParams() params {
	var b []byte
	b = binary.LittleEndian.AppendUint16(b, tagSeed)
	b = binary.LittleEndian.AppendUint16(b, 32)
	for i := range 32 {
		b = append(b, byte(i*7+1))
	}
	return params{b}
}

func newTestKernel(t testing.TB) *machineUnderTest {
	m := &machineUnderTest{Kernel: bootKernel(seedParams()), t: t}
	m.scratch = m.mustMap(16)
	return m
}

// newUnseeded is a machine whose loader had no entropy.
func newUnseeded(t testing.TB) *machineUnderTest {
	m := &machineUnderTest{Kernel: bootKernel(params{}), t: t}
	m.scratch = m.mustMap(16)
	return m
}

func (m *machineUnderTest) mustMap(pages uint32) uint32 {
	m.t.Helper()
	at := m.call(sysMmap2, 0, pages*pageSize, protRead|protWrite, mapPrivate|mapAnonymous, ^uint32(0), 0)
	if at < 0 && at > -4096 {
		m.t.Fatalf("mmap of %d pages: %d", pages, at)
	}
	return uint32(at)
}

// blocked is what call returns when the thread that called waits; its result can
// be read with result once it has one.
const blocked = -9999

// call has the running thread make a system call, as a program does: number in
// r7, arguments in r0 to r5, PC behind the instruction.
func (m *machineUnderTest) call(nr uint32, args ...uint32) int32 {
	m.t.Helper()
	i := m.cur
	m.beginCall(nr, args...)
	m.settle()
	m.check()
	if m.cur != i || m.threads[i].PC == testSVC {
		return blocked
	}
	m.threads[i].PC = testSVC
	return int32(m.threads[i].R[0])
}

func (m *machineUnderTest) beginCall(nr uint32, args ...uint32) {
	t := &m.threads[m.cur]
	copy(t.R[:6], make([]uint32, 6))
	copy(t.R[:6], args)
	t.R[7] = nr
	t.PC = testSVC + 4
	m.trap(trapSyscall)
}

// settle lets a thread that was woken make its system call again.
func (m *machineUnderTest) settle() {
	for !m.exited && m.cur != none {
		t := &m.threads[m.cur]
		if t.PC != testSVC || !restarts(t.R[7]) || t.state != threadRunning {
			return
		}
		t.PC += syscallSize
		m.trap(trapSyscall)
		if m.cur != none && &m.threads[m.cur] == t {
			return
		}
	}
}

// restarts tells whether a thread at the system call instruction is about to make
// a call again: r7 says so until the test is done with its result.
func restarts(nr uint32) bool { return nr != 0 }

// finish ends the call that the running thread was woken in and returns its result.
func (m *machineUnderTest) finish() int32 {
	m.t.Helper()
	m.settle()
	m.check()
	t := &m.threads[m.cur]
	if t.PC == testSVC {
		return blocked
	}
	t.PC, t.R[7] = testSVC, 0
	return int32(t.R[0])
}

func (m *machineUnderTest) mustCall(nr uint32, args ...uint32) uint32 {
	m.t.Helper()
	r := m.call(nr, args...)
	if r < 0 && r > -4096 || r == blocked {
		m.t.Fatalf("system call %d: %d", nr, r)
	}
	m.threads[m.cur].R[7] = 0
	return uint32(r)
}

func (m *machineUnderTest) wantCall(want int32, nr uint32, args ...uint32) {
	m.t.Helper()
	if got := m.call(nr, args...); got != want {
		m.t.Fatalf("system call %d%#x: %d, want %d", nr, args, got, want)
	}
	m.threads[m.cur].R[7] = 0
}

// clone makes a thread and returns its index.
func (m *machineUnderTest) newThread() int16 {
	m.t.Helper()
	tid := m.mustCall(sysClone, 0x10f00, 0)
	i := m.threadByTID(int32(tid))
	m.threads[i].PC, m.threads[i].R[7] = testSVC, 0
	return i
}

// run yields until thread i runs.
func (m *machineUnderTest) run(i int16) {
	m.t.Helper()
	for range 2*MaxThreads + 2 {
		if m.cur == i {
			return
		}
		m.beginCall(sysSchedYield)
		m.threads[m.cur].PC -= 0
		m.check()
	}
	m.t.Fatalf("thread %d does not run: state %d, waits for %d", i, m.threads[i].state, m.threads[i].wait)
}

// advance lets time pass while the running thread computes; interrupts that come
// are taken.
func (m *machineUnderTest) advance(ns uint64) {
	m.t.Helper()
	end := m.time + m.ticks(ns)
	for m.timerAt <= end {
		m.time = max(m.time, m.timerAt)
		m.interruptBy(timerIRQ)
	}
	m.time = max(m.time, end)
}

func (m *machineUnderTest) interruptBy(irq uint32) {
	m.t.Helper()
	m.pending = append(m.pending, irq)
	m.trap(trapInterrupt)
	m.check()
}

// store has the running thread write a word: the page table decides, as the
// processor would have it.
func (m *machineUnderTest) store(va, w uint32) bool { return userAccess(m.Kernel, va, &w, true) }

func (m *machineUnderTest) load(va uint32) (w uint32, ok bool) {
	ok = userAccess(m.Kernel, va, &w, false)
	return w, ok
}

// userAccess is a load or store of user mode. It returns whether it was completed;
// else the thread has got a signal.
func userAccess(k *Kernel, va uint32, w *uint32, write bool) bool {
	for range 2 {
		e := uint32(0)
		if va < userEnd {
			e = k.entry(va)
		} else {
			e = 0x100 | pteValid | pteHidden // sections and pages of the kernel
		}
		pa := e&^pageMask | va&pageMask&^3
		status := uint32(faultTransPage)
		if valid(e) {
			if e&pteUser == pteUser && (!write || e&pteRO == 0) {
				if pa >= testRAM && pa < testRAM+testSize {
					if write {
						*k.word(pa) = *w
					} else {
						*w = *k.word(pa)
					}
				}
				return true
			}
			status = faultPermPage
		}
		if write {
			status |= 1 << 11
		}
		k.status, k.addr = status, va
		signals, i := k.stats.Signals, k.cur
		k.trap(trapData)
		if k.exited || k.cur != i || k.stats.Signals != signals {
			return false
		}
	}
	panic(fmt.Sprintf("fault at %#x answered but the page is not there", va))
}

// poke and peek access the program's memory in tests, whatever its state.
func (m *machineUnderTest) poke(va uint32, words ...uint32) {
	m.t.Helper()
	for i, w := range words {
		if !m.putWord(va+uint32(i)*4, w) {
			m.t.Fatalf("no memory at %#x", va)
		}
	}
}

func (m *machineUnderTest) pokeBytes(va uint32, b []byte) {
	m.t.Helper()
	if len(b) > 0 && !m.copyOut(va, unsafe.Pointer(&b[0]), uint32(len(b))) {
		m.t.Fatalf("no memory at %#x", va)
	}
}

func (m *machineUnderTest) pokeString(va uint32, s string) { m.pokeBytes(va, append([]byte(s), 0)) }

func (m *machineUnderTest) peek(va uint32) uint32 {
	m.t.Helper()
	w, ok := m.getWord(va)
	if !ok {
		m.t.Fatalf("no memory at %#x", va)
	}
	return w
}

func (m *machineUnderTest) peekBytes(va uint32, n int) []byte {
	m.t.Helper()
	b := make([]byte, n)
	if n > 0 && !m.copyIn(unsafe.Pointer(&b[0]), va, uint32(n)) {
		m.t.Fatalf("no memory at %#x", va)
	}
	return b
}

func (m *machineUnderTest) peekString(va uint32) string {
	m.t.Helper()
	var s []byte
	for ; ; va++ {
		c := m.peekBytes(va, 1)[0]
		if c == 0 {
			return string(s)
		}
		s = append(s, c)
	}
}

// openPath opens a path, and returns what open says.
func (m *machineUnderTest) openPath(path string, flags uint32) int32 {
	m.t.Helper()
	m.pokeString(m.scratch, path)
	return m.call(sysOpenat, ^uint32(99), m.scratch, flags)
}

// expectExit wants the program to have ended with this code.
func (m *machineUnderTest) expectExit(code int32) {
	m.t.Helper()
	if !m.exited || m.exitCode != code {
		m.t.Fatalf("exited: %v, code %d; want code %d", m.exited, m.exitCode, code)
	}
}

func (m *machineUnderTest) check() {
	m.t.Helper()
	if err := checkInvariants(m.Kernel); err != nil {
		m.t.Fatalf("invariant: %v", err)
	}
}

func eq[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}
