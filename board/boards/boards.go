// Package boards is the table of the boards Ingot builds for: what the linker,
// the emulator and the size check have to know about each of them.
//
// It is plain data without imports of target code, so that tools on the host
// can use it. What the running image knows about its board is in
// board/<name>; a test keeps the two in agreement where they overlap.
package boards

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Default is the board that tools use when none is named.
const Default = "imx6ulevk"

// A Board is one supported board.
type Board struct {
	// Name is the board's build tag and the name of its folder under board/.
	Name string
	// Title says what it is, for people.
	Title string

	// The toolchain's target.
	GOARCH string
	GOARM  string // empty where it has no meaning

	// The linker's arguments: where text starts (-T; the ELF header is
	// mapped one page below), the alignment of segments (-R), and the
	// assembly symbol of the first instruction (-E).
	TextAddr  uint64
	PageSize  uint64
	EntryName string

	// ImageBudget is the most bytes a stripped image may have: what its
	// place in flash, and the time to load and verify it, allow.
	ImageBudget int64

	// RAM is the board's memory in bytes, and BootParams the physical
	// address at which the kernel looks for its boot parameter block.
	RAM        int64
	BootParams uint64

	// QEMU says how to emulate the board.
	QEMU QEMU
}

// LinkFlags returns the arguments that make the linker lay out an image for the
// board.
func (b Board) LinkFlags() []string {
	return []string{"-T", fmt.Sprintf("%#x", b.TextAddr), "-R", fmt.Sprintf("%#x", b.PageSize), "-E", b.EntryName}
}

// QEMU describes the emulation of a board.
type QEMU struct {
	Binary  string // program, for example qemu-system-arm
	Package string // Debian package that holds it
	Machine string // -M
	NIC     string // -nic model=
}

var table = []Board{
	{
		Name:   "imx6ulevk",
		Title:  "NXP MCIMX6UL-EVK (i.MX6UltraLite, Cortex-A7)",
		GOARCH: "arm",
		GOARM:  "7",
		// RAM starts at 0x80000000; the first 64 KiB hold vectors,
		// translation table, stacks and the ELF header.
		TextAddr:    0x80010000,
		PageSize:    0x1000,
		EntryName:   "imx6ulevk_entry",
		ImageBudget: 16_000_000,
		RAM:         512 << 20,
		BootParams:  0x910000, // on-chip RAM, second half
		QEMU: QEMU{
			Binary:  "qemu-system-arm",
			Package: "qemu-system-arm",
			Machine: "mcimx6ul-evk",
			NIC:     "imx.enet",
		},
	},
}

// ErrUnknown says that there is no board of a name.
var ErrUnknown = errors.New("unknown board")

// ByName returns the board called name; the empty name means Default. The
// error of an unknown name wraps ErrUnknown and lists the known ones.
func ByName(name string) (Board, error) {
	if name == "" {
		name = Default
	}
	for _, b := range table {
		if b.Name == name {
			return b, nil
		}
	}
	return Board{}, fmt.Errorf("%w %q; known: %s", ErrUnknown, name, strings.Join(Names(), ", "))
}

// Names returns the names of all boards in alphabetical order.
func Names() []string {
	var names []string
	for _, b := range table {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	return names
}
