package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ingot.dev/board/boards"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
	"ingot.dev/tools/imx"
)

// TestBoards boots the default firmware of each board, on QEMU's one board of the family.
func TestBoards(t *testing.T) {
	for _, name := range boards.Names() {
		t.Run(name, func(t *testing.T) {
			elf := world.firmware
			if name != boards.Default {
				elf = filepath.Join(t.TempDir(), name+".elf")
				if _, err := image.Build(testContext(t), image.Options{Package: []string{firmwarePackage}, Board: name, Output: elf, Overlay: world.overlay}); err != nil {
					t.Fatal(err)
				}
			}
			m := start(t, qemu.Config{Board: name, Image: elf, Forwards: []qemu.Forward{{GuestPort: port}}})
			if _, err := m.WaitConsole(testContext(t), listening); err != nil {
				t.Fatal(err)
			}
			contains(t, "console", m.Console(), "ingot on "+name, "watchdog started")
			mustEcho(t, mustConnect(t, m, clientConfig()), 100_000)
		})
	}
}

// TestNotELF boots the other forms of an image as a board's boot loader or boot ROM does:
// copied to RAM whose other bytes are anything but zero.
func TestNotELF(t *testing.T) {
	b, err := boards.ByName("")
	if err != nil {
		t.Fatal(err)
	}
	flat, err := imx.Flatten(world.firmware)
	if err != nil {
		t.Fatal(err)
	}
	for name, lay := range map[string]func(t *testing.T) ([]byte, qemu.Raw){
		"raw binary": func(t *testing.T) ([]byte, qemu.Raw) {
			data, addr, err := flat.Binary()
			if err != nil {
				t.Fatal(err)
			}
			return data, qemu.Raw{Addr: addr, Entry: addr}
		},
		"card": func(t *testing.T) ([]byte, qemu.Raw) {
			boot, err := flat.Boot(imx.DCD(b))
			if err != nil {
				t.Fatal(err)
			}
			card, err := boot.Card()
			if err != nil {
				t.Fatal(err)
			}
			// What the ROM learns from the card's first 4 KB, and no more.
			im, err := imx.ParseCard(card)
			if err != nil {
				t.Fatal(err)
			}
			return card[:imx.BodyOffset+len(im.Body)], qemu.Raw{Addr: im.Start, Entry: im.Entry}
		},
	} {
		t.Run(name, func(t *testing.T) {
			data, raw := lay(t)
			dir := t.TempDir()
			write := func(name string, b []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, b, 0o666); err != nil {
					t.Fatal(err)
				}
				return path
			}
			// The firmware's bss, tables and stacks, and much of its heap.
			const ramStart, dirty = 0x80000000, 64 << 20
			end := (raw.Addr + uint32(len(data)) + 0xfff) &^ 0xfff
			before := write("before", bytes.Repeat([]byte{0xa5}, int(raw.Addr-ramStart)))
			after := write("after", bytes.Repeat([]byte{0xa5}, dirty))
			m := start(t, qemu.Config{
				Image: write("image", data), Raw: &raw,
				Forwards: []qemu.Forward{{GuestPort: port}},
				ExtraArgs: []string{
					"-device", fmt.Sprintf("loader,file=%s,addr=%#x,force-raw=on", before, ramStart),
					"-device", fmt.Sprintf("loader,file=%s,addr=%#x,force-raw=on", after, end),
				},
			})
			if _, err := m.WaitConsole(testContext(t), listening); err != nil {
				t.Fatal(err)
			}
			mustEcho(t, mustConnect(t, m, clientConfig()), 100_000)
		})
	}
}
