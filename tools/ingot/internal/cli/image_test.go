package cli

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

// What is no image of ours is none, whatever its header says.
func TestELFOfOthers(t *testing.T) {
	var header bytes.Buffer
	binary.Write(&header, binary.LittleEndian, elf.Header32{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_ARM), Version: uint32(elf.EV_CURRENT),
		Phoff: 0x34, Phentsize: 32, Phnum: 1, Shentsize: 40, Shoff: 0xffffff00, Shnum: 0xffff,
	})
	empty := bytes.Clone(header.Bytes())
	binary.LittleEndian.PutUint16(empty[0x2c:], 0) // no segments
	for name, body := range map[string][]byte{
		"nothing":              nil,
		"text":                 bytes.Repeat([]byte("no image "), 100),
		"segments that aren't": header.Bytes(),
		"no segments":          empty,
	} {
		if file := elfOf(body); file != nil {
			t.Errorf("%s: %d bytes", name, len(file))
		}
		if board := builtFor(bytes.NewReader(elfOf(body))); board != "" {
			t.Errorf("%s was built for %s", name, board)
		}
	}
}
