package imx

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// elfFile makes an ELF image of segments.
func elfFile(entry uint32, change func(*elf.Header32), progs ...elf.Prog32) []byte {
	h := elf.Header32{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_ARM), Version: 1, Entry: entry, Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: uint16(len(progs)), Shentsize: 40}
	copy(h.Ident[:], "\x7fELF\x01\x01\x01")
	if change != nil {
		change(&h)
	}
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, h)
	binary.Write(&b, binary.LittleEndian, progs)
	file := make([]byte, 0x3000)
	copy(file, b.Bytes())
	for i := 0x1000; i < len(file); i++ {
		file[i] = byte(i >> 8)
	}
	return file
}

var (
	text = elf.Prog32{Type: uint32(elf.PT_LOAD), Off: 0, Vaddr: 0x8000f000, Paddr: 0x8000f000, Filesz: 0x1800, Memsz: 0x1800, Flags: 5}
	data = elf.Prog32{Type: uint32(elf.PT_LOAD), Off: 0x2000, Vaddr: 0x80012000, Paddr: 0x80012000, Filesz: 0x300, Memsz: 0x8000, Flags: 6}
	note = elf.Prog32{Type: uint32(elf.PT_NOTE), Off: 0x40, Vaddr: 0x10, Paddr: 0x10, Filesz: 0x10, Memsz: 0x10}
)

func TestFlatten(t *testing.T) {
	file := elfFile(0x80010400, nil, note, text, data)
	name := filepath.Join(t.TempDir(), "x.elf")
	if err := os.WriteFile(name, file, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Flatten(name)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 0x3300)
	copy(want, file[:0x1800])
	copy(want[0x3000:], file[0x2000:0x2300])
	if f.Addr != 0x8000f000 || f.Entry != 0x80010400 || !bytes.Equal(f.Data, want) {
		t.Errorf("%d bytes at %#x, entry %#x", len(f.Data), f.Addr, f.Entry)
	}
	b, addr, err := f.Binary()
	if err != nil || addr != 0x8000e000 || !bytes.Equal(b[0x1000:], want) {
		t.Fatalf("%d bytes at %#x, %v", len(b), addr, err)
	}
	// B to 0x80010400 from 0x8000e000: (0x2400 - 8) / 4 = 0x8fe.
	if w := binary.LittleEndian.Uint32(b); w != 0xea0008fe {
		t.Errorf("it begins with the instruction %#x", w)
	}
	im, err := f.Boot(nil)
	if err != nil || im.Start != 0x8000e000 || im.Entry != f.Entry {
		t.Errorf("%+v, %v", im, err)
	}
}

func TestFlattenRefuses(t *testing.T) {
	moved := func(p elf.Prog32, change func(*elf.Prog32)) elf.Prog32 { change(&p); return p }
	var format *elf.FormatError
	for name, file := range map[string][]byte{
		"another machine":     elfFile(0x80010400, func(h *elf.Header32) { h.Machine = uint16(elf.EM_386) }, text),
		"a library":           elfFile(0x80010400, func(h *elf.Header32) { h.Type = uint16(elf.ET_DYN) }, text),
		"nothing to load":     elfFile(0x80010400, nil, note),
		"an entry elsewhere":  elfFile(0x90000000, nil, text, data),
		"an entry in between": elfFile(0x80010402, nil, text, data),
		"far apart":           elfFile(0x80010400, nil, text, moved(data, func(p *elf.Prog32) { p.Paddr = 0xf0000000 })),
		"a piece missing":     elfFile(0x80010400, nil, text, moved(data, func(p *elf.Prog32) { p.Off = 0x2f00 })),
		"more file than RAM":  elfFile(0x80010400, nil, text, moved(data, func(p *elf.Prog32) { p.Memsz = 0x100 })),
	} {
		if f, err := flatten(bytes.NewReader(file)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	if _, err := flatten(bytes.NewReader([]byte("no ELF file at all, but long enough for one"))); !errors.As(err, &format) {
		t.Error(err)
	}
	if _, err := Flatten(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, f := range []*Flat{{Addr: 0x800, Entry: 0x800, Data: make([]byte, 8)}, {Addr: 0x10000000, Entry: 0x13000000}} {
		if _, _, err := f.Binary(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%#x: %v", f.Addr, err)
		}
	}
	if _, err := (&Flat{Addr: 0x800}).Boot(nil); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}
