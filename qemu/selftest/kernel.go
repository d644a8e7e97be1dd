package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/trace"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const kernelAddr = 0xFFF00000

// These end the program; each is run by name, and the test that does so knows what
// must come.
var endings = []check{
	{"panic", func() error { panic("on purpose") }},
	{"traced-panic", func() error { trace.Start(io.Discard); panic("in a trace") }},
	{"exit-7", func() error { os.Exit(7); return nil }},
	{"out-of-memory", outOfMemory},
	{"given-back", givenBack},
	{"nil-map", func() error { var m map[string]int; m["x"] = 1; return nil }},
	{"wild-fatal", func() error { *at(0x08000000) = 1; return nil }},
	{"deadlock", func() error { select {} }},
	{"throw", func() error { var mu chan int; close(mu); return nil }},
	{"idle", func() error { fmt.Println("idle"); time.Sleep(time.Hour); return nil }},
	{"unseeded", unseeded},
	{"print-random", printRandom},
	{"echo", echo},
	{"stack-overflow", func() error { debug.SetMaxStack(4 << 20); overflow(1); return nil }},
	{"everywhere", everywhere},
	{"switches", switchRegisters},
	{"sigkill", func() error { return syscall.Kill(1, syscall.SIGKILL) }},
	{"too-many-threads", tooManyThreads},
	{"loop", func() error {
		fmt.Println("looping")
		for {
		}
	}},
}

// tooManyThreads wants more threads than the kernel has.
func tooManyThreads() error {
	debug.SetMaxThreads(1000)
	for range 200 {
		go func() {
			runtime.LockOSThread()
			select {}
		}()
		runtime.Gosched()
	}
	time.Sleep(time.Second)
	return errors.New("200 threads were there")
}

func overflow(n int) int { return overflow(n+1) + 1 }

func outOfMemory() error {
	debug.SetMemoryLimit(1 << 62)
	var keep [][]byte
	for {
		b := make([]byte, 16<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		keep = append(keep, b)
	}
}

// givenBack wants pages that it has given back, after all of RAM was promised to others.
func givenBack() error {
	const size = 16 << 20
	first, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	first[0] = 1
	if err := unix.Madvise(first, unix.MADV_DONTNEED); err != nil {
		return err
	}
	for n := size; n >= os.Getpagesize(); {
		if _, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE); err != nil {
			n /= 2
		}
	}
	fmt.Println("all is promised")
	first[0] = 1
	return errors.New("there is more RAM than there is")
}

// unseeded expects a kernel that was given no seed: asking without waiting is
// answered EAGAIN, and asking does not come back.
func unseeded() error {
	if err := want(os.Getenv("INGOT_ENTROPY"), ""); err != nil {
		return err
	}
	var b [16]byte
	if _, err := unix.Getrandom(b[:], unix.GRND_NONBLOCK); err != unix.EAGAIN {
		return fmt.Errorf("getrandom without a seed: %v", err)
	}
	got := make(chan bool)
	go func() {
		unix.Getrandom(b[:], 0)
		got <- true
	}()
	select {
	case <-got:
		return errors.New("getrandom answered without a seed")
	case <-time.After(200 * time.Millisecond):
		return nil
	}
}

func printRandom() error {
	var b [16]byte
	rand.Read(b[:])
	fmt.Printf("random %x\n", b)
	return nil
}

// echo returns what is typed on the console, until Ctrl-D.
func echo() error {
	fmt.Println("echo: ready")
	for {
		var b [256]byte
		n, err := os.Stdin.Read(b[:])
		if err != nil {
			return err
		}
		fmt.Printf("echo: %q\n", b[:n])
		if bytes.IndexByte(b[:n], 4) >= 0 {
			return nil
		}
	}
}

func random() error {
	var a, b [64]byte
	rand.Read(a[:])
	rand.Read(b[:])
	if a == b || bytes.Count(a[:], []byte{0}) > 16 {
		return fmt.Errorf("not random: %x %x", a, b)
	}
	big := make([]byte, 100_000)
	rand.Read(big)
	var count [256]int
	for _, c := range big {
		count[c]++
	}
	for v, n := range count {
		if n < 250 || n > 550 {
			return fmt.Errorf("of 100000 random bytes %d are %d", n, v)
		}
	}
	return nil
}

func environment() error {
	if len(os.Args) == 0 || os.Args[0] == "" {
		return errors.New("no program name")
	}
	limit := debug.SetMemoryLimit(-1)
	if limit <= 0 || limit > 512<<20 {
		return fmt.Errorf("memory limit %d", limit)
	}
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return errors.Join(want(runtime.NumCPU(), 1), want(os.Getpid(), 1), want(os.Getenv("INGOT_ENTROPY"), "boot parameters"), want(percent, 200))
}

// raw makes a system call with an address that Go would not let through.
func raw(nr, a, b, c uintptr) syscall.Errno {
	_, _, e := syscall.Syscall(nr, a, b, c)
	return e
}

// efault gives kernel addresses and unmapped ones to system calls that would read
// or write there.
func efault() error {
	var errs []error
	expect := func(what string, got, want syscall.Errno) {
		if got != want {
			errs = append(errs, fmt.Errorf("%s: %v, want %v", what, got, want))
		}
	}
	for _, addr := range []uintptr{0, 0xfff, kernelAddr, 0xC0000000, 0xFFFFFFF0, 0x08000000} {
		what := func(s string) string { return fmt.Sprintf("%s at %#x", s, addr) }
		expect(what("write(1)"), raw(syscall.SYS_WRITE, 1, addr, 10), syscall.EFAULT)
		expect(what("getrandom"), raw(unix.SYS_GETRANDOM, addr, 16, 0), syscall.EFAULT)
		expect(what("clock_gettime"), raw(syscall.SYS_CLOCK_GETTIME, 1, addr, 0), syscall.EFAULT)
		expect(what("pipe2"), raw(syscall.SYS_PIPE2, addr, 0, 0), syscall.EFAULT)
		expect(what("open"), raw(syscall.SYS_OPENAT, ^uintptr(99), addr, 0), syscall.EFAULT)
		if addr&3 == 0 {
			expect(what("futex"), raw(syscall.SYS_FUTEX, addr, 0, 0), syscall.EFAULT)
		}
		expect(what("rt_sigaction"), errno6(syscall.SYS_RT_SIGACTION, 10, addr|4, 0, 8), syscall.EFAULT)
	}
	// Read-only memory is no place for results.
	text := **(**uintptr)(unsafe.Pointer(&[]func() error{efault}[0]))
	expect("getrandom into text", raw(unix.SYS_GETRANDOM, text&^3, 16, 0), syscall.EFAULT)
	expect("an unknown call", raw(9999, 0, 0, 0), syscall.ENOSYS)
	return errors.Join(errs...)
}

func errno6(nr, a, b, c, d uintptr) syscall.Errno {
	_, _, e := syscall.Syscall6(nr, a, b, c, d, 0, 0)
	return e
}

func textReadOnly() error {
	text := **(**uintptr)(unsafe.Pointer(&[]func() error{textReadOnly}[0]))
	if err := faults(func() { *at(text &^ 3) = 0 }); err != nil {
		return err
	}
	page := text &^ 0xfff
	if e := raw(syscall.SYS_MPROTECT, page, 4096, 7); e == 0 {
		return errors.New("text could be made writable")
	}
	if e := raw(syscall.SYS_MUNMAP, page, 4096, 0); e == 0 {
		return errors.New("text could be unmapped")
	}
	return nil
}

func rodataReadOnly() error {
	s := "constant"
	return faults(func() { *at(uintptr(unsafe.Pointer(unsafe.StringData(s))) &^ 3) = 0 })
}

func kernelMemory() error {
	for _, addr := range []uintptr{kernelAddr, 0xFFFC0000, 0xFFFD4000, 0xFFFF0000, 0xC0004000, 0xF2020000} {
		if err := faults(func() { sink.Store(*at(addr)) }); err != nil {
			return fmt.Errorf("read of %#x: %w", addr, err)
		}
		if err := faults(func() { *at(addr) = 0 }); err != nil {
			return fmt.Errorf("write of %#x: %w", addr, err)
		}
	}
	return faults(func() { *at(0xBFFFE000) = 0 }) // the clock page
}

// noExec checks that memory a program can write never runs.
func noExec() error {
	if _, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC,
		syscall.MAP_ANON|syscall.MAP_PRIVATE); err == nil {
		return errors.New("mmap gave executable memory")
	}
	m, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	copy(m, []byte{0x1e, 0xff, 0x2f, 0xe1}) // bx lr
	if err := syscall.Mprotect(m, syscall.PROT_READ|syscall.PROT_EXEC); err == nil {
		return errors.New("mprotect made memory executable")
	}
	code := unsafe.Pointer(&m[0])
	f := *(*func())(unsafe.Pointer(&[]unsafe.Pointer{unsafe.Pointer(&code)}[0]))
	return errors.Join(faults(f), syscall.Munmap(m))
}

func files() error {
	if _, err := os.Open("/etc/passwd"); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("open of /etc/passwd: %v", err)
	}
	if _, err := os.ReadFile("/proc/meminfo"); err != nil {
		return err
	}
	name, err := os.ReadFile("/sys/class/uio/uio0/name")
	if err != nil {
		return err
	}
	if err := want(string(name), "enet1\n"); err != nil {
		return err
	}
	if _, err := os.Open("/dev/uio99"); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("open of /dev/uio99: %v", err)
	}
	size, err := os.ReadFile("/sys/class/uio/uio0/maps/map1/size")
	if err != nil {
		return err
	}
	return want(string(size), "0x00080000\n")
}

func memFree() (int, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemFree:" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, errors.New("no MemFree in /proc/meminfo")
}

// memoryReturned maps, touches and unmaps, and wants every frame back.
func memoryReturned() error {
	before, err := memFree()
	if err != nil {
		return err
	}
	for range 20 {
		m, err := syscall.Mmap(-1, 0, 8<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			return err
		}
		for i := 0; i < len(m); i += 4096 {
			if m[i] != 0 {
				return fmt.Errorf("a fresh page holds %d at offset %d", m[i], i)
			}
			m[i] = 1
		}
		if err := syscall.Munmap(m); err != nil {
			return err
		}
	}
	after, err := memFree()
	if err != nil {
		return err
	}
	if before-after > 1024 {
		return fmt.Errorf("%d kB free before, %d kB after", before, after)
	}
	return nil
}
