package uio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
)

// Device is an open device.
//
// Registers may be accessed from several goroutines; what that means is the
// hardware's matter. One goroutine at a time waits for the interrupt. Close may
// be called at any time.
type Device struct {
	name      string
	registers []byte
	dma       []byte
	dmaPhys   uint32

	file   *os.File
	conn   syscall.RawConn
	closed atomic.Bool
	waiter waiter
}

// pageSize is the unit of UIO's mmap offsets, on every machine with 4 KB pages.
const pageSize = 4096

// Open opens the device of the given name. When there is none, the error is a
// [*NotFoundError] that says which there are.
func Open(name string) (*Device, error) { return Root{}.Open(name) }

// Open is like the function of that name, for files elsewhere.
func (r Root) Open(name string) (*Device, error) {
	n, err := r.find(func(s string) bool { return s == name })
	if err != nil {
		return nil, err
	}
	if n < 0 {
		names, err := r.Names()
		if err != nil {
			return nil, err
		}
		return nil, &NotFoundError{Name: name, Names: names}
	}
	return r.open(n, name)
}

func (r Root) open(n int, name string) (*Device, error) {
	path := r.dev(n)
	// Not os.OpenFile, whose Fd would make the descriptor blocking.
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("uio: %s: %w", name, &fs.PathError{Op: "open", Path: path, Err: err})
	}
	d := &Device{name: name}
	if err := d.mapRegions(r, n, fd); err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("uio: %s: %w", name, err)
	}
	if err := d.attach(os.NewFile(uintptr(fd), path)); err != nil {
		return nil, fmt.Errorf("uio: %s: %w", name, err)
	}
	return d, nil
}

// attach makes f the file that interrupts are waited for on.
func (d *Device) attach(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	d.file, d.conn = f, conn
	d.waiter.init()
	return nil
}

func (d *Device) mapRegions(r Root, n, fd int) error {
	registers, err := r.region(n, 0)
	if err != nil {
		return fmt.Errorf("registers: %w", err)
	}
	if d.registers, err = registers.mmap(fd, 0); err != nil {
		return fmt.Errorf("map %d bytes of registers: %w", registers.size, err)
	}
	dma, err := r.region(n, 1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("DMA memory: %w", err)
	}
	if dma.phys+uint64(dma.size) > 1<<32 {
		return fmt.Errorf("DMA memory at %#x is out of a 32-bit device's reach", dma.phys)
	}
	if d.dma, err = dma.mmap(fd, 1); err != nil {
		return fmt.Errorf("map %d bytes of DMA memory: %w", dma.size, err)
	}
	d.dmaPhys = uint32(dma.phys)
	return nil
}

func (g region) mmap(fd, m int) ([]byte, error) {
	size := (g.offset + g.size + pageSize - 1) &^ (pageSize - 1)
	mem, err := syscall.Mmap(fd, int64(m)*pageSize, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return mem[g.offset : g.offset+g.size : g.offset+g.size], nil
}

// Name returns the device's name.
func (d *Device) Name() string { return d.name }

// Registers returns the device's registers as memory. Go makes no promise about
// the width or number of the accesses that a plain read or write of it does:
// use Read32 and its relatives.
func (d *Device) Registers() []byte { return d.registers }

// DMA returns the device's DMA memory and the physical address that the device
// sees it at; nil when it has none. It is not cached: every access goes to
// memory.
func (d *Device) DMA() (mem []byte, phys uint32) { return d.dma, d.dmaPhys }

// Close ends the use of the device: whoever waits gets os.ErrClosed. The
// interrupt is left as it is, and so is the memory: what Registers and DMA
// returned stays mapped, since others may still look at it. A program opens a
// device once.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	return d.file.Close()
}
