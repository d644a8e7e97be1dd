//go:build !arm

package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
	"unsafe"
)

// TestVDSOImage looks for the function as Go's runtime does (runtime/vdso_linux.go):
// by the dynamic section, the SysV hash table and the version definition.
func TestVDSOImage(t *testing.T) {
	var page [pageSize]byte
	code := make([]byte, vdsoCodeSize)
	for i := range code {
		code[i] = byte(i*11 + 5)
	}
	writeVDSO(unsafe.Pointer(&page), unsafe.Pointer(&code[0]))
	f, err := elf.NewFile(bytes.NewReader(page[:]))
	if err != nil {
		t.Fatal(err)
	}
	if f.Class != elf.ELFCLASS32 || f.Machine != elf.EM_ARM || f.Type != elf.ET_DYN || f.Data != elf.ELFDATA2LSB || len(f.Progs) != 2 {
		t.Errorf("header %+v", f.FileHeader)
	}
	if p := f.Progs[0]; p.Type != elf.PT_LOAD || p.Vaddr != 0 || p.Memsz != pageSize || p.Flags != elf.PF_R|elf.PF_X {
		t.Errorf("first segment %+v", p.ProgHeader)
	}
	dyn := f.Progs[1]
	if dyn.Type != elf.PT_DYNAMIC || dyn.Off != dyn.Vaddr {
		t.Fatalf("second segment %+v", dyn.ProgHeader)
	}
	word := func(at uint32) uint32 { return binary.LittleEndian.Uint32(page[at:]) }
	half := func(at uint32) uint32 { return uint32(binary.LittleEndian.Uint16(page[at:])) }
	text := func(at uint32) string { return string(page[at : at+uint32(bytes.IndexByte(page[at:], 0))]) }
	tags := map[elf.DynTag]uint32{}
	for at := uint32(dyn.Off); word(at) != 0; at += 8 {
		if at >= uint32(dyn.Off+dyn.Filesz) {
			t.Fatal("the dynamic section has no end")
		}
		tags[elf.DynTag(word(at))] = word(at + 4)
	}
	for _, tag := range []elf.DynTag{elf.DT_HASH, elf.DT_STRTAB, elf.DT_SYMTAB, elf.DT_VERSYM, elf.DT_VERDEF} {
		if at := tags[tag]; at == 0 || at&3 != 0 || at >= pageSize {
			t.Fatalf("%v: %#x", tag, at)
		}
	}
	strings := tags[elf.DT_STRTAB]

	version := uint32(0)
	for at := tags[elf.DT_VERDEF]; ; at += word(at + 16) {
		if half(at) != 1 {
			t.Fatalf("version of the version definition: %d", half(at))
		}
		if base := half(at+2)&1 != 0; !base && word(at+8) == 0x3ae75f6 && text(strings+word(at+word(at+12))) == "LINUX_2.6" {
			version = half(at+4) & 0x7fff
		}
		if word(at+16) == 0 {
			break
		}
	}
	if version == 0 {
		t.Fatal("no version LINUX_2.6")
	}
	const name = "__vdso_clock_gettime"
	hash := uint32(0)
	for i := range len(name) {
		hash = hash<<4 + uint32(name[i])
		hash = (hash ^ hash>>24&0xf0) & 0x0fffffff
	}
	h := tags[elf.DT_HASH]
	buckets := word(h)
	found := uint32(0)
	for i := word(h + 8 + hash%buckets*4); i != 0; i = word(h + 8 + buckets*4 + i*4) {
		s := tags[elf.DT_SYMTAB] + i*16
		info, section := page[s+12], half(s+14)
		if text(strings+word(s)) == name && elf.ST_TYPE(info) == elf.STT_FUNC && elf.ST_BIND(info) == elf.STB_GLOBAL &&
			section != 0 && half(tags[elf.DT_VERSYM]+i*2)&0x7fff == version {
			found = word(s + 4)
		}
	}
	if found == 0 || found&3 != 0 || !bytes.Equal(page[found:found+vdsoCodeSize], code) {
		t.Errorf("%s found at %#x", name, found)
	}
}
