package memmap

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/kernel/layout"
)

// elfFile writes an ELF file with nothing but program headers: addresses and sizes of
// segments.
func elfFile(t *testing.T, segments ...[2]uint32) string {
	t.Helper()
	const headers = 52
	var b bytes.Buffer
	b.WriteString("\x7fELF\x01\x01\x01")
	b.Write(make([]byte, 9))
	// e_type ... e_shstrndx of an executable for Arm (ELF, chapter 1).
	for _, v := range []any{uint16(2), uint16(40), uint32(1), uint32(0x80010000), uint32(headers), uint32(0), uint32(0x5000200),
		uint16(headers), uint16(32), uint16(len(segments)), uint16(40), uint16(0), uint16(0)} {
		binary.Write(&b, binary.LittleEndian, v)
	}
	for _, s := range segments {
		// p_type PT_LOAD, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align
		for _, v := range []uint32{1, 0, s[0], s[0], 0, s[1], 5, 0x1000} {
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	name := filepath.Join(t.TempDir(), "image.elf")
	if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

const text = layout.RAMStart + layout.OffImage

func TestRead(t *testing.T) {
	m, err := Read(elfFile(t, [2]uint32{text, 0x2345}, [2]uint32{text + 0x3000, 0x1000}, [2]uint32{text + 0x4000, 0x5001}))
	if err != nil {
		t.Fatal(err)
	}
	at := map[uint64]layout.Area{}
	var end uint64
	for _, a := range m.Areas {
		if a.From < end || a.To != 0 && a.To <= a.From {
			t.Errorf("%q from %#x to %#x, after one that ends at %#x", a.What, a.From, a.To, end)
		}
		end = a.To
		at[a.From] = a
	}
	// Segments end with a page, and the heap begins behind the last one.
	for from, to := range map[uint64]uint64{text: text + 0x3000, text + 0x3000: text + 0x4000, text + 0x4000: text + 0xa000} {
		if at[from].To != to {
			t.Errorf("from %#x: %+v, want an end at %#x", from, at[from], to)
		}
	}
	if heap := at[text+0xa000]; !strings.Contains(heap.What, "heap") || heap.Program != "rw-" {
		t.Errorf("behind the image: %+v", heap)
	}
	if len(m.Areas) != len(layout.Areas) {
		t.Errorf("%d areas, and the kernel has %d", len(m.Areas), len(layout.Areas))
	}
	for _, a := range layout.Areas {
		if a.From == text && a.To != 0 {
			t.Error("the kernel's own table was changed")
		}
	}
}

func TestReadRefuses(t *testing.T) {
	three := [][2]uint32{{text, 1}, {text + 0x1000, 1}, {text + 0x2000, 1}}
	for what, file := range map[string]string{
		"two segments":    elfFile(t, three[:2]...),
		"another address": elfFile(t, [2]uint32{0x10000, 1}, three[1], three[2]),
		"four segments":   elfFile(t, append(three, [2]uint32{text + 0x3000, 1})...),
	} {
		if _, err := Read(file); err == nil || !strings.Contains(err.Error(), file+" is no image") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Read("nowhere.elf"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// picture is a map with a hole, and with what XML has to escape.
var picture = &Map{Title: "a<b>.elf", Areas: []layout.Area{
	{From: 0, To: 0x1000, What: "nothing & `nil`"},
	{From: 0x1000, To: 0x201000, What: "code", Program: "r-x", Kernel: "r-x"},
	{From: 0x300000, What: "the rest", Kernel: "rw-"},
}}

func TestWriteText(t *testing.T) {
	var out strings.Builder
	if err := picture.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	const want = `FROM      TO        SIZE   PROGRAM  KERNEL  WHAT
00000000  00001000  4 KiB  ---      ---     nothing & nil
00001000  00201000  2 MiB  r-x      r-x     code
00300000                   ---      rw-     the rest
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}

func TestWriteSVG(t *testing.T) {
	var out strings.Builder
	if err := picture.WriteSVG(&out); err != nil {
		t.Fatal(err)
	}
	var rects int
	var texts []string
	for d := xml.NewDecoder(strings.NewReader(out.String())); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case xml.StartElement:
			if v.Name.Local == "rect" {
				rects++
			}
		case xml.CharData:
			texts = append(texts, string(v))
		}
	}
	all := strings.Join(texts, "|")
	if rects != 3 {
		t.Errorf("%d areas, want 3", rects)
	}
	// The top of what is below the hole is an address, too.
	for _, want := range []string{"Memory map of a<b>.elf", "nothing & nil", "2 MiB", "00300000", "00201000", "rw-"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %s", want, all)
		}
	}
}

// TestPicture: the map in the documents is of today's layout. 'ingot map --svg
// docs/pictures/memory-map.svg' with the default firmware's image draws it again.
func TestPicture(t *testing.T) {
	picture, err := os.ReadFile("../../../../docs/pictures/memory-map.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range layout.Areas {
		var what strings.Builder
		xml.EscapeText(&what, []byte(Plain(a.What)))
		if !strings.Contains(string(picture), ">"+what.String()+"<") {
			t.Errorf("%q is not on it", Plain(a.What))
		}
		for _, at := range []uint64{a.From, a.To} {
			// What the table leaves open depends on the image; above the last area is no room.
			if text := fmt.Sprintf(">%08X<", at); at != 0 && at != layout.Areas[len(layout.Areas)-1].To && !strings.Contains(string(picture), text) {
				t.Errorf("%08X is not on it", at)
			}
		}
	}
}
