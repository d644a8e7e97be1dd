package imx

import (
	"testing"

	"ingot.dev/board/boards"
)

// mmdc is a model of the DDR controller as far as its order of use goes (IMX6ULRM,
// chapter "Multi Mode DDR Controller", "MMDC initialization"): registers are written
// while configuration is requested, and memory works when chip select 0 is enabled, the
// chips' mode registers were loaded in their order, and the request is taken back.
type mmdc struct {
	t       *testing.T
	clock   bool // CCGR3.CG12, the controller's gate, is open
	request bool
	regs    map[uint32]uint32
	modes   []uint32 // mode registers as they were loaded
}

func (m *mmdc) Read(addr uint32, width uint8) uint32 {
	m.t.Errorf("%#x is read", addr)
	return 0
}

func (m *mmdc) Write(addr uint32, width uint8, v uint32) {
	const ccgr3, mdscr = 0x020c4074, 0x021b001c
	switch {
	case width != 4:
		m.t.Errorf("%d bytes written to %#x", width, addr)
	case addr == ccgr3:
		m.clock = v>>24&3 == 3
	case addr >= 0x020c4068 && addr <= 0x020c4080:
	case addr >= 0x020e0244 && addr <= 0x020e04b4: // pins of the memory
	case addr == mdscr:
		const con, enable, command, loadMode = 1 << 15, 1 << 15, 7 << 4, 3 << 4
		m.request = v&con != 0
		if v&command == loadMode {
			m.modes = append(m.modes, v&7)
		}
	case addr >= 0x021b0000 && addr < 0x021b4000:
		if !m.clock {
			m.t.Errorf("%#x is written before the controller has a clock", addr)
		}
		if !m.request {
			m.t.Errorf("%#x is written outside of configuration", addr)
		}
		m.regs[addr-0x021b0000] = v
	default:
		m.t.Errorf("%#x is written: not a register of clocks, pins or DDR controller", addr)
	}
}

// TestBoards: each board's table is within the ROM's limits, keeps the controller's order,
// and describes as much memory as the board has.
func TestBoards(t *testing.T) {
	for _, name := range boards.Names() {
		t.Run(name, func(t *testing.T) {
			b, err := boards.ByName(name)
			if err != nil {
				t.Fatal(err)
			}
			flat := &Flat{Addr: uint32(b.TextAddr - b.PageSize), Entry: uint32(b.TextAddr), Data: make([]byte, 2*b.PageSize)}
			im, err := flat.Boot(DCD(b))
			if err != nil {
				t.Fatal(err)
			}
			file, err := im.Encode()
			if err != nil {
				t.Fatal(err)
			}
			back, err := Parse(file)
			if err != nil {
				t.Fatal(err)
			}
			m := &mmdc{t: t, regs: map[uint32]uint32{}}
			if err := Run(back.DCD, m); err != nil {
				t.Fatal(err)
			}
			if m.request {
				t.Error("configuration is not ended")
			}
			// DDR3's order (JEDEC JESD79-3, 3.3.1): MR2, MR3, MR1, MR0.
			if len(m.modes) != 4 || m.modes[0] != 2 || m.modes[1] != 3 || m.modes[2] != 1 || m.modes[3] != 0 {
				t.Errorf("mode registers are loaded in the order %v", m.modes)
			}
			const mdctl, mdasp, mdmisc = 0x00, 0x40, 0x18
			ctl := m.regs[mdctl]
			rows, columns, width := 11+ctl>>24&7, 9+ctl>>20&7, 2<<(ctl>>16&3)
			banks := 3 - m.regs[mdmisc]>>5&1 // DDR_4_BANK
			if size := int64(width) << (rows + columns + banks); ctl>>31 != 1 || size != b.RAM {
				t.Errorf("MDCTL %#x: %d rows, %d columns, %d bytes wide: %d bytes; the board has %d", ctl, rows, columns, width, size, b.RAM)
			}
			if end := int64(m.regs[mdasp]&0x7f+1) << 25; end != 0x80000000+b.RAM {
				t.Errorf("MDASP: chip select 0 ends at %#x", end)
			}
			if len(b.ROM.USB) == 0 {
				t.Error("no USB id")
			}
		})
	}
}
