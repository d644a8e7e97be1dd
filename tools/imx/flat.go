package imx

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// A Flat is an image as it lies in RAM, before it runs.
type Flat struct {
	Addr  uint32 // physical address of the first byte
	Entry uint32
	Data  []byte
}

// maxFlat bounds the distance between segments: more is a file that is not an image.
const maxFlat = 256 << 20

// Flatten reads an ELF image for the board's processor. Errors are those of reading the
// file, *elf.FormatError, or wrap ErrInvalid.
func Flatten(name string) (*Flat, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	flat, err := flatten(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return flat, nil
}

func flatten(r io.ReaderAt) (*Flat, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	if f.Class != elf.ELFCLASS32 || f.Machine != elf.EM_ARM || f.Type != elf.ET_EXEC {
		return nil, fmt.Errorf("%w: an ELF file for %v, %v, %v, not a 32-bit Arm image", ErrInvalid, f.Machine, f.Class, f.Type)
	}
	lo, hi := uint64(1<<32), uint64(0)
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 {
			continue
		}
		if p.Filesz > 1<<32 || p.Paddr > 1<<32 || p.Filesz > p.Memsz {
			return nil, fmt.Errorf("%w: a segment of %d bytes at %#x", ErrInvalid, p.Filesz, p.Paddr)
		}
		lo, hi = min(lo, p.Paddr), max(hi, p.Paddr+p.Filesz)
	}
	switch {
	case hi <= lo:
		return nil, fmt.Errorf("%w: an ELF file with nothing to load", ErrInvalid)
	case hi > 1<<32 || hi-lo > maxFlat:
		return nil, fmt.Errorf("%w: segments from %#x to %#x", ErrInvalid, lo, hi)
	case f.Entry < lo || f.Entry >= hi || f.Entry%4 != 0:
		return nil, fmt.Errorf("%w: its entry point %#x is not in it (%#x to %#x)", ErrInvalid, f.Entry, lo, hi)
	}
	flat := &Flat{Addr: uint32(lo), Entry: uint32(f.Entry), Data: make([]byte, hi-lo)}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 {
			continue
		}
		if n, err := p.ReadAt(flat.Data[p.Paddr-lo:][:p.Filesz], 0); err != nil && (!errors.Is(err, io.EOF) || uint64(n) < p.Filesz) {
			return nil, fmt.Errorf("%w: the segment at %#x: %w", ErrInvalid, p.Paddr, err)
		}
	}
	return flat, nil
}

// Boot makes a boot image of it. DCD sets up the RAM that it is copied to.
func (f *Flat) Boot(dcd []Command) (*Image, error) {
	if f.Addr < BodyOffset {
		return nil, fmt.Errorf("%w: no room below %#x for its header", ErrInvalid, f.Addr)
	}
	return &Image{Start: f.Addr - BodyOffset, Entry: f.Entry, DCD: dcd, Body: f.Data}, nil
}

// Binary returns the raw binary: the image behind a page that begins with a branch to
// its entry point. It is to be loaded at addr, and entered there.
func (f *Flat) Binary() (b []byte, addr uint32, err error) {
	if f.Addr < BodyOffset {
		return nil, 0, fmt.Errorf("%w: no room below %#x for a branch to its entry point", ErrInvalid, f.Addr)
	}
	addr = f.Addr - BodyOffset
	// B: ARM ARM A8.8.18. The offset counts words from two instructions on.
	offset := int64(f.Entry) - int64(addr) - 8
	if offset%4 != 0 || offset < 0 || offset >= 1<<25 {
		return nil, 0, fmt.Errorf("%w: its entry point %#x is out of reach from %#x", ErrInvalid, f.Entry, addr)
	}
	b = make([]byte, BodyOffset+len(f.Data))
	binary.LittleEndian.PutUint32(b, 0xea000000|uint32(offset>>2))
	copy(b[BodyOffset:], f.Data)
	return b, addr, nil
}
