//go:build !arm

package kernel_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"ingot.dev/board/imx6ulevk"
	"ingot.dev/board/imx6ullevk"
	"ingot.dev/board/usbarmory"
	"ingot.dev/kernel"
)

// logged is registers that note what is done to them.
type logged struct {
	values map[uint32]uint32
	log    []string
	flips  int // reads until address 16 reads as 3
}

func (r *logged) Read(pa uint32) uint32 {
	r.log = append(r.log, fmt.Sprintf("r%d", pa))
	if pa == 16 {
		if r.flips--; r.flips <= 0 {
			return 3
		}
	}
	return r.values[pa]
}

func (r *logged) Write(pa, v uint32) {
	r.log = append(r.log, fmt.Sprintf("w%d=%#x", pa, v))
	r.values[pa] = v
}

func (r *logged) SetFrequency(hz uint32) { r.log = append(r.log, fmt.Sprint("hz", hz)) }

func TestSteps(t *testing.T) {
	for _, c := range []struct {
		steps kernel.Steps
		flips int
		want  string
	}{
		{kernel.Steps{{4, kernel.AllBits, 5}}, 0, "[w4=0x5]"},
		{kernel.Steps{{8, 0xf0, 0x50}}, 0, "[r8 w8=0xff5a]"},
		{kernel.Steps{{8 + kernel.StepUnless, 0xff, 0xab}, {4, kernel.AllBits, 5}}, 0, "[r8 w4=0x5]"},
		{kernel.Steps{{8 + kernel.StepUnless, 0xff, 0xaa}, {4, kernel.AllBits, 5}}, 0, "[r8]"},
		{kernel.Steps{{16 + kernel.StepWait, 1, 1}, {4, kernel.AllBits, 5}}, 3, "[r16 r16 r16 w4=0x5]"},
		{kernel.Steps{{kernel.StepCounter, 0, 8e6}}, 0, "[hz8000000]"},
		{nil, 0, "[]"},
	} {
		r := &logged{values: map[uint32]uint32{8: 0xffaa}, flips: c.flips}
		kernel.RunSteps(c.steps, r)
		if got := fmt.Sprint(r.log); got != c.want {
			t.Errorf("%x: %s, want %s", c.steps, got, c.want)
		}
	}
	// What never gets ready does not keep the rest waiting forever.
	r := &logged{values: map[uint32]uint32{}}
	kernel.RunSteps(kernel.Steps{{8 + kernel.StepWait, 1, 1}, {4, kernel.AllBits, 5}}, r)
	if len(r.log) != kernel.StepPolls+1 || r.values[4] != 5 {
		t.Errorf("%d accesses", len(r.log))
	}
}

// A soc is a processor of the i.MX6UL family as far as boards' steps are concerned, from
// the reference manuals: what is there, what must come before what, and what comes of it.
type soc struct {
	t       *testing.T
	digprog uint32
	regs    map[uint32]uint32

	frequency uint32
	uarts     map[uint32]*uart
	pll       int // reads of the Ethernet PLL until it locks, or never
	phyResets int // of the USB PHY

	shifted, outputs uint32 // of the shift register at GPIO5
}

const never = math.MaxInt

const (
	anyUL    = 0x00640001
	anyULL   = 0x00650001
	emulator = 0x00640000

	uart1, uart2 = 0x02020000, 0x021E8000
	pllENET      = 0x020C80E0
	pllUSB1      = 0x020C8010
	usbphy1      = 0x020C9000
	gpr1         = 0x020E4004
	gpio5        = 0x020AC000
	sctr         = 0x021DC000
)

func newSOC(t *testing.T, digprog uint32) *soc {
	s := &soc{t: t, digprog: digprog, pll: 10, regs: map[uint32]uint32{
		pllENET: 1<<16 | 1<<12 | 1,          // as after a reset: bypassed and off
		pllUSB1: 1 << 16, 0x020C8120: 0xf74, // PMU_REG_3P0
		usbphy1: 0x001e1c00, usbphy1 + 0x30: 0xc0200000,
		0x020C4024: 0x00490b00, // CCM_CSCDR1
		sctr:       0,
		gpr1:       0x0f400005,
	}}
	s.uarts = map[uint32]*uart{uart1: {busy: 5}, uart2: {busy: 5}}
	return s
}

// has tells whether there is anything at an address.
func (s *soc) has(pa uint32) bool {
	blocks := []uint32{uart1, uart2, 0x020A8000, gpio5, 0x020C4000, 0x020C8000, usbphy1, 0x020E0000, 0x020E4000}
	if s.digprog != emulator {
		blocks = append(blocks, 0x0207C000, 0x0217C000, sctr)
	}
	if s.digprog == anyULL {
		blocks = append(blocks, 0x0227C000, 0x02290000)
	}
	return pa%4 == 0 && slices.ContainsFunc(blocks, func(b uint32) bool { return pa-b < 0x1000 })
}

func (s *soc) Read(pa uint32) uint32 {
	s.t.Helper()
	if !s.has(pa) {
		s.t.Errorf("bus error: read of %#x", pa)
	}
	if u := s.uarts[pa&^0xfff]; u != nil {
		return u.read(pa & 0xfff)
	}
	switch pa {
	case 0x020C8260:
		return s.digprog
	case pllUSB1:
		v := s.regs[pa]
		if v&(1<<12) != 0 {
			v |= 1 << 31
		}
		return v
	case pllENET:
		v := s.regs[pa]
		if v&(1<<12) == 0 && s.pll > 0 && s.pll != never {
			s.pll--
		}
		if v&(1<<12) == 0 && s.pll == 0 {
			v |= 1 << 31
		}
		return v
	}
	return s.regs[pa]
}

func (s *soc) Write(pa, v uint32) {
	s.t.Helper()
	if !s.has(pa) {
		s.t.Errorf("bus error: write to %#x", pa)
	}
	if u := s.uarts[pa&^0xfff]; u != nil {
		u.write(s.t, pa&0xfff, v)
		return
	}
	old := s.regs[pa]
	s.regs[pa] = v
	switch pa {
	case pllUSB1:
		if v&(1<<16) == 0 && old&(1<<31|1<<12) == 0 {
			s.t.Error("the USB PLL is used before it has power")
		}
	case usbphy1, usbphy1 + 0x30:
		// Nothing but its reset and its clock can be written before they are off and on.
		if s.regs[0x020C4080]&3 != 3 || pa == usbphy1 && s.regs[usbphy1+0x30]>>30 != 0 {
			s.t.Errorf("write to %#x of a USB PHY without clock", pa)
		}
		if pa != usbphy1 && v&^old>>31 != 0 { // its reset, which stops its clock
			s.regs[pa], s.regs[usbphy1] = 0xc0200000, 0x001e1c00
			s.phyResets++
		}
	case pllENET:
		if v&(1<<16) == 0 && s.pll != 0 && s.pll != never {
			s.t.Error("the Ethernet PLL is used before it has locked")
		}
	case gpio5:
		s.expander(old, v)
	}
}

func (s *soc) SetFrequency(hz uint32) {
	if s.regs[sctr]&1 == 0 || s.regs[sctr+0x20] != hz {
		s.t.Errorf("the timer is said to have %d Hz, the system counter has %d (control %#x)", hz, s.regs[sctr+0x20], s.regs[sctr])
	}
	s.frequency = hz
}

// expander is the 74LV595 of the evaluation kits, which sees pins that are outputs.
func (s *soc) expander(old, v uint32) {
	pins := s.regs[gpio5+4]
	rises := func(bit uint32) bool { return pins&bit != 0 && old&bit == 0 && v&bit != 0 }
	if rises(1 << 11) {
		s.shifted = s.shifted<<1 | v&pins>>10&1
	}
	if rises(1 << 7) {
		s.outputs = s.shifted & 0xff
		if v&(1<<8) != 0 || pins&(1<<8) == 0 {
			s.t.Error("the shift register's outputs float")
		}
	}
}

// A uart is one, with a loader's last words still going out.
type uart struct {
	busy       int // looks until they are out
	resetting  int // looks until a reset is done
	ucr        [4]uint32
	ufcr       uint32
	ubir, ubmr uint32
	order      bool // UBIR was written before UBMR
}

func (u *uart) read(reg uint32) uint32 {
	switch reg {
	case 0x98: // USR2
		if u.busy--; u.busy < 0 {
			return 1 << 3
		}
		return 0
	case 0x84: // UCR2
		if u.resetting--; u.resetting < 0 {
			return u.ucr[1] | 1
		}
		return u.ucr[1] &^ 1
	}
	return 0
}

func (u *uart) write(t *testing.T, reg, v uint32) {
	t.Helper()
	if u.busy > 0 {
		t.Errorf("UART: %#x is written while it sends", reg)
	}
	if u.resetting > 0 {
		t.Errorf("UART: %#x is written while it resets", reg)
	}
	switch reg {
	case 0x80, 0x84, 0x88, 0x8c:
		u.ucr[(reg-0x80)/4] = v
		if reg == 0x84 && v&1 == 0 {
			*u = uart{resetting: 4}
		}
	case 0x90:
		u.ufcr = v
	case 0xa4:
		u.ubir, u.order = v, true
	case 0xa8:
		u.ubmr = v
		if !u.order {
			t.Error("UART: UBMR is written before UBIR")
		}
	default:
		t.Errorf("UART: %#x is written", reg)
	}
}

// console says how fast a UART is, if it does anything.
func (s *soc) console(base uint32) float64 {
	u := s.uarts[base]
	const enable, rxmux, on = 1, 1 << 2, 1<<5 | 1<<2 | 1<<1 | 1<<0
	if u.ucr[0]&enable == 0 || u.ucr[1]&on != on || u.ucr[1]&(1<<8|1<<6) != 0 || u.ucr[2]&rxmux == 0 {
		return 0
	}
	clock := 80e6 // PLL3 / 6
	if s.regs[0x020C4024]&(1<<6) != 0 {
		clock = 24e6
	}
	clock /= float64(s.regs[0x020C4024]&0x3f + 1)
	clock /= []float64{6, 5, 4, 3, 2, 1, 7, math.Inf(1)}[u.ufcr>>7&7]
	return clock / 16 * float64(u.ubir+1) / float64(u.ubmr+1)
}

// pads are the mux registers of an Ethernet controller's, MDIO and MDC last.
func pads(controller uint32) []uint32 {
	first := uint32(0x020E00C4)
	if controller == 2 {
		first = 0x020E00E4
	}
	var list []uint32
	for i := range uint32(8) {
		list = append(list, first+4*i)
	}
	return append(list, 0x020E0074, 0x020E0078)
}

func TestBoardsSetUp(t *testing.T) {
	for _, board := range []struct {
		name     string
		steps    []*kernel.Steps
		digprog  []uint32
		uart     uint32
		rx, from uint32 // the input of the UART and its choice of pad
		ethernet uint32
		expander bool
	}{
		{"imx6ulevk", imx6ulevk.SetUp, []uint32{anyUL}, uart1, 0x020E0624, 3, 1, true},
		{"imx6ullevk", imx6ullevk.SetUp, []uint32{anyULL}, uart1, 0x020E0624, 3, 1, true},
		{"usbarmory", usbarmory.SetUp, []uint32{anyUL, anyULL}, uart2, 0x020E062C, 1, 2, false},
	} {
		for _, digprog := range append(board.digprog, emulator) {
			t.Run(fmt.Sprintf("%s/%#x", board.name, digprog), func(t *testing.T) {
				s := newSOC(t, digprog)
				run := func() {
					for _, steps := range board.steps {
						kernel.RunSteps(*steps, s)
					}
				}
				run()
				s.check(board.uart, board.rx, board.from, board.ethernet)
				if board.expander && digprog != emulator || board.name == "imx6ulevk" {
					// Q1 and Q2: the PHYs are not held in reset.
					if s.outputs != 0x57 {
						t.Errorf("the shift register puts out %#x", s.outputs)
					}
				}
				if board.name == "usbarmory" {
					const lights = usbarmory.White | usbarmory.Blue
					if s.regs[0x020A8004]&lights != lights || s.regs[0x020A8000]&lights != lights || s.regs[0x020E01E4] != 5 || s.regs[0x020E01E8] != 5 {
						t.Error("the LEDs are not outputs, or shine")
					}
					if pll, ctrl := s.regs[pllUSB1], s.regs[usbphy1+0x30]; digprog != emulator && (pll&(1<<16|1<<13|1<<12|1<<6) != 1<<13|1<<12|1<<6 || ctrl != 0x0020c000 || s.regs[usbphy1] != 0 || s.regs[0x020C81B0] != 3<<19) {
						t.Errorf("USB: PLL %#x, PHY %#x, power %#x", pll, ctrl, s.regs[usbphy1])
					}
					if supply := s.regs[0x020C8120]; digprog != emulator && (supply != 0xf75 || s.phyResets != 1) {
						t.Errorf("USB: supply %#x, %d resets of the PHY", supply, s.phyResets)
					}
				}
				// After a boot loader that did the same, nothing changes.
				before, uarts := maps.Clone(s.regs), map[uint32]uart{uart1: *s.uarts[uart1], uart2: *s.uarts[uart2]}
				run()
				if !maps.Equal(before, s.regs) {
					t.Error("a second time, registers change")
				}
				for base, u := range s.uarts {
					was := uarts[base]
					if was.ucr != u.ucr || was.ubir != u.ubir || was.ubmr != u.ubmr || was.ufcr != u.ufcr {
						t.Errorf("a second time, UART %#x becomes %+v", base, u)
					}
				}
			})
		}
	}
}

func (s *soc) check(console, rx, from, ethernet uint32) {
	t := s.t
	if rate := s.console(console); math.Abs(rate-115200) > 1 {
		t.Errorf("the console has %v baud", rate)
	}
	if s.regs[rx] != from {
		t.Errorf("its input, %#x, is %d", rx, s.regs[rx])
	}
	if s.digprog != emulator {
		// Everything is open to user mode: OPACR's fields have SP clear.
		bridges := []uint32{0x0207C000, 0x0217C000}
		if s.digprog == anyULL {
			bridges = append(bridges, 0x0227C000)
		}
		for _, b := range bridges {
			for _, off := range []uint32{0, 4, 0x40, 0x44, 0x48, 0x4c, 0x50} {
				v, written := s.regs[b+off]
				want := uint32(0)
				if off < 0x40 {
					want = 0x77777777
				}
				if !written || v != want {
					t.Errorf("bridge %#x+%#x is %#x", b, off, v)
				}
			}
		}
		if s.frequency != 8e6 {
			t.Errorf("the generic timer has %d Hz", s.frequency)
		}
	} else if s.frequency != 0 {
		t.Error("the emulator's timer is changed")
	}
	// The PLL runs at 50 MHz, not bypassed, to both controllers.
	if v := s.regs[pllENET]; v&(1<<16|1<<12) != 0 || v&0xf != 5 || v&(1<<20|1<<13) != 1<<20|1<<13 {
		t.Errorf("the Ethernet PLL is %#x", v)
	}
	// The clock goes out at the pad, and comes back from it.
	out, in, other := uint32(1<<17), uint32(1<<13), uint32(0x020E0574)
	if ethernet == 2 {
		out, in, other = 1<<18, 1<<14, 0x020E057C
	}
	if v := s.regs[gpr1]; v&out == 0 || v&in != 0 || v&0x0f400005 != 0x0f400005 || s.regs[other] != 2 {
		t.Errorf("GPR1 is %#x, the clock's input %d", v, s.regs[other])
	}
	for i, pad := range pads(ethernet) {
		want := uint32(0)
		switch {
		case i == 6: // TX_CLK
			want = 0x14
		case i >= 8:
			want = ethernet - 1
		}
		if v, written := s.regs[pad]; !written || v != want {
			t.Errorf("pad %#x has mux %#x, want %#x", pad, v, want)
		}
		if s.regs[pad+0x28c] == 0 {
			t.Errorf("pad %#x has no drive", pad)
		}
	}
}

// TestBoardsNoise: each processor that a board is made with has one source of noise, which
// the board knows; the emulator has none.
func TestBoardsNoise(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources []kernel.NoiseSource
		want    map[uint32]uint32
	}{
		{"imx6ulevk", imx6ulevk.Noise, map[uint32]uint32{anyUL: kernel.NoiseCAAM, emulator: 0}},
		{"imx6ullevk", imx6ullevk.Noise, map[uint32]uint32{anyULL: kernel.NoiseRNGB, emulator: 0}},
		{"usbarmory", usbarmory.Noise, map[uint32]uint32{anyUL: kernel.NoiseCAAM, anyULL: kernel.NoiseRNGB, emulator: 0}},
	} {
		for digprog, want := range c.want {
			var kind uint32
			for _, s := range c.sources {
				if kernel.RunSteps(*s.Absent, newSOC(t, digprog)) {
					kind += s.Kind
				}
			}
			if kind != want {
				t.Errorf("%s on %#x has source %d, want %d", c.name, digprog, kind, want)
			}
		}
	}
}

// TestNoEthernetPLL: a PLL that never locks doesn't keep the board from starting.
func TestNoEthernetPLL(t *testing.T) {
	for _, steps := range [][]*kernel.Steps{imx6ulevk.SetUp, imx6ullevk.SetUp, usbarmory.SetUp} {
		s := newSOC(t, anyULL)
		s.pll = never
		for _, table := range steps {
			kernel.RunSteps(*table, s)
		}
		if s.console(uart1)+s.console(uart2) == 0 {
			t.Error("there is no console")
		}
	}
}
