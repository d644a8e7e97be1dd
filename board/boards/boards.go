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

	// ROM says what the processor's boot ROM needs to start an image.
	ROM ROM

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

	// Which of the machine's serial ports is the board's console, and which of
	// its Ethernet controllers the board's port, from 0. The others are there,
	// with nothing attached.
	Console int
	NICPort int
}

// ROM is what the boot ROM of an i.MX processor has to be told.
type ROM struct {
	// DDR is written by the ROM before it copies the image to RAM: it makes
	// RAM work. The ROM calls it device configuration data.
	DDR []RegisterWrite

	// USB are the ids with which the ROM shows up on USB when it waits for a
	// serial download, one for each variant of the processor that the board
	// is made with.
	USB []USBID
}

// A RegisterWrite is the value of a 32-bit register, by physical address.
type RegisterWrite struct{ Addr, Value uint32 }

// A USBID identifies a kind of USB device.
type USBID struct{ Vendor, Product uint16 }

func (id USBID) String() string { return fmt.Sprintf("%04x:%04x", id.Vendor, id.Product) }

// Serial download ids: IMX6ULRM and IMX6ULLRM, chapter "System Boot".
var (
	usbUL  = USBID{0x15a2, 0x007d}
	usbULL = USBID{0x15a2, 0x0080} // and i.MX6ULZ
)

// All boards of the i.MX6UL family are emulated by the one that QEMU knows.
func mcimx6ulEVK(console, nic int) QEMU {
	return QEMU{
		Binary:  "qemu-system-arm",
		Package: "qemu-system-arm",
		Machine: "mcimx6ul-evk",
		NIC:     "imx.enet",
		Console: console,
		NICPort: nic,
	}
}

// imx6ul is what boards of the i.MX6UL family have in common. RAM starts at
// 0x80000000; the first 64 KiB hold vectors, translation table, stacks and the
// ELF header.
func imx6ul(b Board) Board {
	b.GOARCH, b.GOARM = "arm", "7"
	b.TextAddr, b.PageSize = 0x80010000, 0x1000
	b.EntryName = b.Name + "_entry"
	b.ImageBudget = 16_000_000
	b.RAM = 512 << 20
	b.BootParams = 0x910000 // on-chip RAM, second half
	return b
}

var table = []Board{
	imx6ul(Board{
		Name:  "imx6ulevk",
		Title: "NXP MCIMX6UL-EVK (i.MX6UltraLite, Cortex-A7)",
		ROM:   ROM{DDR: slices.Concat(clocks, ddrPads, ddrULEVK), USB: []USBID{usbUL}},
		QEMU:  mcimx6ulEVK(0, 0),
	}),
	imx6ul(Board{
		Name:  "imx6ullevk",
		Title: "NXP MCIMX6ULL-EVK (i.MX6ULL, Cortex-A7)",
		ROM:   ROM{DDR: slices.Concat(clocks, ddrPads, ddrULLEVK), USB: []USBID{usbULL}},
		QEMU:  mcimx6ulEVK(0, 0),
	}),
	imx6ul(Board{
		Name:  "usbarmory",
		Title: "USB armory Mk II, LAN model (i.MX6UL, i.MX6ULL, i.MX6ULZ, Cortex-A7)",
		ROM:   ROM{DDR: slices.Concat(clocks, ddrPads, ddrUSBArmory), USB: []USBID{usbULL, usbUL}},
		QEMU:  mcimx6ulEVK(1, 1), // UART2, ENET2
	}),
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
