package uio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

// fakeDevice is one device of a machine made of plain files.
type fakeDevice struct {
	name      string
	registers int
	dma       int // 0: none
	phys      uint32
}

// fakeMachine lays out the files of UIO in a directory.
func fakeMachine(t *testing.T, devices ...fakeDevice) Root {
	t.Helper()
	testenv.NeedFiles(t)
	dir := t.TempDir()
	r := Root{Dev: filepath.Join(dir, "dev"), Sys: filepath.Join(dir, "sys")}
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n, d := range devices {
		write(r.sys(n, "name"), d.name+"\n")
		write(r.sys(n, "maps/map0/addr"), "0x02188000\n")
		write(r.sys(n, "maps/map0/size"), fmt.Sprintf("0x%08x\n", d.registers))
		if d.dma > 0 {
			write(r.sys(n, "maps/map1/addr"), fmt.Sprintf("0x%08x\n", d.phys))
			write(r.sys(n, "maps/map1/size"), fmt.Sprintf("0x%08x\n", d.dma))
		}
		write(r.dev(n), "")
		if err := os.Truncate(r.dev(n), int64(pageSize+d.dma)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestOpen(t *testing.T) {
	r := fakeMachine(t,
		fakeDevice{name: "wdog1", registers: pageSize},
		fakeDevice{name: "enet1", registers: pageSize, dma: 16 * pageSize, phys: 0x87000000},
	)
	d, err := r.Open("enet1")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Name() != "enet1" || len(d.Registers()) != pageSize {
		t.Errorf("%s with %d bytes of registers", d.Name(), len(d.Registers()))
	}
	mem, phys := d.DMA()
	if len(mem) != 16*pageSize || phys != 0x87000000 {
		t.Errorf("%d bytes of DMA memory at %#x", len(mem), phys)
	}

	// Both regions are the file's, each at its own offset.
	d.Write32(0x24, 0x01020304)
	d.Write16(0x30, 0x0506)
	mem[7] = 0x55
	file, err := os.ReadFile(r.dev(1))
	if err != nil {
		t.Fatal(err)
	}
	if got := binary.NativeEndian.Uint32(file[0x24:]); got != 0x01020304 || d.Read32(0x24) != got {
		t.Errorf("register holds %#x, reads %#x", got, d.Read32(0x24))
	}
	if got := binary.NativeEndian.Uint16(file[0x30:]); got != 0x0506 || d.Read16(0x30) != got {
		t.Errorf("16-bit register holds %#x, reads %#x", got, d.Read16(0x30))
	}
	if file[pageSize+7] != 0x55 {
		t.Error("DMA memory is not region 1")
	}

	w, err := r.Open("wdog1")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if mem, phys := w.DMA(); mem != nil || phys != 0 {
		t.Error("DMA memory on a device that has none")
	}
}

func TestOpenUnknown(t *testing.T) {
	for _, tt := range []struct {
		devices []fakeDevice
		want    string
	}{
		{nil, "no UIO devices"},
		{[]fakeDevice{{name: "a", registers: pageSize}, {name: "b", registers: pageSize}}, "this machine has a, b"},
	} {
		_, err := fakeMachine(t, tt.devices...).Open("enet1")
		var missing *NotFoundError
		if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not a NotFoundError", err)
		} else if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `"enet1"`) {
			t.Errorf("%q doesn't say %q", err, tt.want)
		}
	}
}

func TestOpenBroken(t *testing.T) {
	for _, tt := range []struct {
		name  string
		wreck func(r Root) error
	}{
		{"no /dev file", func(r Root) error { return os.Remove(r.dev(0)) }},
		{"no registers", func(r Root) error { return os.RemoveAll(r.sys(0, "maps")) }},
		{"size isn't a number", func(r Root) error { return os.WriteFile(r.sys(0, "maps/map0/size"), []byte("big"), 0) }},
		{"size zero", func(r Root) error { return os.WriteFile(r.sys(0, "maps/map0/size"), []byte("0x0"), 0) }},
		{"huge size", func(r Root) error {
			return os.WriteFile(r.sys(0, "maps/map1/size"), []byte("0xffffffffffff"), 0)
		}},
		{"DMA memory beyond 4 GB", func(r Root) error {
			return os.WriteFile(r.sys(0, "maps/map1/addr"), []byte("0xfffff000"), 0)
		}},
		{"DMA memory without size", func(r Root) error {
			return os.WriteFile(r.sys(0, "maps/map1/size"), nil, 0)
		}},
		{"offset beyond a page", func(r Root) error {
			return os.WriteFile(r.sys(0, "maps/map0/offset"), []byte("0x1000"), 0o600)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := fakeMachine(t, fakeDevice{name: "enet1", registers: pageSize, dma: 2 * pageSize})
			if err := tt.wreck(r); err != nil {
				t.Fatal(err)
			}
			d, err := r.Open("enet1")
			if err == nil {
				d.Close()
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Error(), "uio: ") {
				t.Errorf("%q doesn't say whose error it is", err)
			}
		})
	}
}

// Linux gives regions that start inside a page with their offset.
func TestRegionOffset(t *testing.T) {
	r := fakeMachine(t, fakeDevice{name: "x", registers: 0x100})
	if err := os.WriteFile(r.sys(0, "maps/map0/offset"), []byte("0x40\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := r.Open("x")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Write32(0, 0xabcd)
	file, _ := os.ReadFile(r.dev(0))
	if got := binary.NativeEndian.Uint32(file[0x40:]); got != 0xabcd || len(d.Registers()) != 0x100 {
		t.Errorf("%#x at the offset, %d bytes", got, len(d.Registers()))
	}
}

func TestRegisterBounds(t *testing.T) {
	r := fakeMachine(t, fakeDevice{name: "x", registers: 0x100})
	d, err := r.Open("x")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Read32(0xfc)
	d.Read16(0xfe)
	for name, access := range map[string]func(){
		"odd 32-bit":    func() { d.Read32(2) },
		"odd 16-bit":    func() { d.Write16(1, 0) },
		"32-bit beyond": func() { d.Write32(0x100, 0) },
		"16-bit beyond": func() { d.Read16(0x100) },
		"far beyond":    func() { d.Read32(0xfffffffc) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			access()
		})
	}
}

// interruptible returns a device whose interrupt is the test's end of a socket:
// what is written there is a read's result, and what the driver writes comes
// out of it.
func interruptible(t *testing.T) (*Device, *os.File) {
	t.Helper()
	testenv.NeedHost(t) // a pair of sockets is the device
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := &Device{name: "fake"}
	if err := d.attach(os.NewFile(uintptr(fds[0]), "device")); err != nil {
		t.Fatal(err)
	}
	line := os.NewFile(uintptr(fds[1]), "line")
	t.Cleanup(func() {
		d.Close()
		line.Close()
	})
	return d, line
}

func raise(t *testing.T, line *os.File, count uint32) {
	t.Helper()
	if _, err := line.Write(binary.NativeEndian.AppendUint32(nil, count)); err != nil {
		t.Fatal(err)
	}
}

// controlWord reads what the driver wrote.
func controlWord(t *testing.T, line *os.File) uint32 {
	t.Helper()
	buf := make([]byte, 16)
	n, err := line.Read(buf)
	if err != nil || n != 4 {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	return binary.NativeEndian.Uint32(buf)
}

func TestWait(t *testing.T) {
	d, line := interruptible(t)
	raise(t, line, 1) // before: Wait returns at once
	if err := d.Wait(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Wait() }()
	select {
	case err := <-done:
		t.Fatalf("Wait returned %v without an interrupt", err)
	case <-time.After(20 * time.Millisecond):
	}
	raise(t, line, 2)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestMasking(t *testing.T) {
	d, line := interruptible(t)
	for _, step := range []struct {
		call func() error
		want uint32
	}{{d.Unmask, 1}, {d.Mask, 0}, {d.Unmask, 1}} {
		if err := step.call(); err != nil {
			t.Fatal(err)
		}
		if got := controlWord(t, line); got != step.want {
			t.Errorf("wrote %d, want %d", got, step.want)
		}
	}
}

// The kernel's side answers each unmasking with an interrupt, at once.
func TestUnmaskWait(t *testing.T) {
	d, line := interruptible(t)
	const rounds = 1000
	go func() {
		buf := make([]byte, 4)
		for i := range uint32(rounds) {
			if n, err := line.Read(buf); n != 4 || err != nil || binary.NativeEndian.Uint32(buf) != 1 {
				t.Errorf("round %d: %x, %v", i, buf[:n], err)
				d.Close()
				return
			}
			if _, err := line.Write(buf); err != nil {
				t.Errorf("round %d: %v", i, err)
			}
		}
	}()
	for range rounds {
		if err := d.UnmaskWait(); err != nil {
			t.Fatal(err)
		}
	}
	if allocs := testing.AllocsPerRun(10, func() {
		raise(t, line, 1)
		if err := d.Wait(); err != nil {
			t.Fatal(err)
		}
	}); allocs > 2 { // raise's own
		t.Errorf("%v allocations for a wait", allocs)
	}
}

func TestWake(t *testing.T) {
	d, line := interruptible(t)
	d.Wake() // before the wait
	if err := d.Wait(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Wait() }()
	time.Sleep(10 * time.Millisecond)
	d.Wake() // likely during it
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// Afterwards waiting works as ever.
	go func() { done <- d.Wait() }()
	select {
	case err := <-done:
		t.Fatalf("Wait returned %v without an interrupt", err)
	case <-time.After(20 * time.Millisecond):
	}
	raise(t, line, 1)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestCloseEndsWait(t *testing.T) {
	d, _ := interruptible(t)
	done := make(chan error, 1)
	go func() { done <- d.Wait() }()
	time.Sleep(10 * time.Millisecond)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait: %v, want os.ErrClosed", err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	for name, call := range map[string]func() error{
		"Wait": d.Wait, "UnmaskWait": d.UnmaskWait, "Unmask": d.Unmask, "Mask": d.Mask,
	} {
		if err := call(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after Close: %v, want os.ErrClosed", name, err)
		}
	}
}

func TestWaitReportsTheKernelsError(t *testing.T) {
	d, line := interruptible(t)
	line.Close() // end of file: no kernel does that
	if err := d.Wait(); err == nil || errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait: %v", err)
	}
	if err := d.Unmask(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Unmask: %v, want EPIPE", err)
	}
}
