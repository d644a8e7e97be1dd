package imx6ul

import "ingot.dev/kernel"

// Only processors have what follows it in a table; the emulator of one would end with a
// bus error. QEMU's is an i.MX6UL of revision 1.0, which was never sold: boards have 1.1
// or later. USB_ANALOG_DIGPROG: chapter "Universal Serial Bus PHY", analog control.
const (
	digprog  = 0x020C8260
	emulated = 0x00640000
)

// Bridges opens the peripherals to programs in user mode. At reset the bridges (AIPSTZ)
// keep them for privileged code. Chapter "AHB to IP Bridge (AIPSTZ)": each master is
// trusted for reading and writing and its accesses are not forced to user mode (7); no
// peripheral is protected from user mode, writing, or untrusted masters (0).
var Bridges = kernel.Steps{
	{digprog | kernel.StepUnless, kernel.AllBits, emulated},

	{0x0207C000, kernel.AllBits, 0x77777777}, // AIPSTZ1_MPR: masters 0-7
	{0x0207C004, kernel.AllBits, 0x77777777}, // masters 8-15
	{0x0207C040, kernel.AllBits, 0},          // AIPSTZ1_OPACR: peripherals
	{0x0207C044, kernel.AllBits, 0},
	{0x0207C048, kernel.AllBits, 0},
	{0x0207C04C, kernel.AllBits, 0},
	{0x0207C050, kernel.AllBits, 0},

	{0x0217C000, kernel.AllBits, 0x77777777}, // AIPSTZ2
	{0x0217C004, kernel.AllBits, 0x77777777},
	{0x0217C040, kernel.AllBits, 0},
	{0x0217C044, kernel.AllBits, 0},
	{0x0217C048, kernel.AllBits, 0},
	{0x0217C04C, kernel.AllBits, 0},
	{0x0217C050, kernel.AllBits, 0},
}

// Bridge3 opens the third bridge, which i.MX6ULL and i.MX6ULZ have: DCP, RNGB, UART8 and
// the pads that keep their state (SNVS) are behind it.
var Bridge3 = kernel.Steps{
	{digprog | kernel.StepUnless, 0xff0000, emulated}, // nor has the i.MX6UL

	{0x0227C000, kernel.AllBits, 0x77777777}, // AIPSTZ3
	{0x0227C004, kernel.AllBits, 0x77777777},
	{0x0227C040, kernel.AllBits, 0},
	{0x0227C044, kernel.AllBits, 0},
	{0x0227C048, kernel.AllBits, 0},
	{0x0227C04C, kernel.AllBits, 0},
	{0x0227C050, kernel.AllBits, 0},
}

// Counter starts the system counter, which the processor's generic timer shows, at its
// base frequency. Chapter "System Counter"; the crystal has 24 MHz, of which the counter
// gets a third.
var Counter = kernel.Steps{
	{digprog | kernel.StepUnless, kernel.AllBits, emulated},

	{0x021DC020, kernel.AllBits, 8_000_000}, // CNTFID0: frequency of mode 0
	{0x021DC000, 0x303, 0x103},              // CNTCR: enabled, stands while debugged, mode 0
	{kernel.StepCounter, 0, 8_000_000},
}

// UARTClock gives the UARTs the crystal's 24 MHz, which no PLL has to be up for. Chapter
// "Clock Controller Module (CCM)", CCM_CSCDR1: UART_CLK_SEL, and UART_CLK_PODF = 1.
var UARTClock = kernel.Steps{
	{0x020C4024, 0x7f, 1 << 6},
}

// UART1 is the console on pads UART1_TX_DATA and UART1_RX_DATA: 115,200 baud, 8 data bits,
// no parity, 1 stop bit. It comes behind UARTClock.
var UART1 = kernel.Steps{
	{0x020E0084, kernel.AllBits, 0},       // mux of UART1_TX_DATA: ALT0, UART1_TX
	{0x020E0310, kernel.AllBits, 0x1b0b1}, // pad: 100 kohm up, hysteresis, 40 ohm, fast
	{0x020E0088, kernel.AllBits, 0},       // mux of UART1_RX_DATA: ALT0, UART1_RX
	{0x020E0314, kernel.AllBits, 0x1b0b1},
	{0x020E0624, kernel.AllBits, 3}, // UART1_RX comes from that pad

	// Chapter "Universal Asynchronous Receiver/Transmitter (UART)".
	{0x02020098 | kernel.StepWait, 1 << 3, 1 << 3}, // USR2.TXDC: what a loader said is out
	{0x02020080, kernel.AllBits, 0},                // UCR1: off
	{0x02020084, kernel.AllBits, 0},                // UCR2: SRST, reset
	{0x02020084 | kernel.StepWait, 1, 1},           // until that is done
	{0x02020088, kernel.AllBits, 0x784},            // UCR3: RXDMUXSEL, which must be set; no autobaud
	{0x02020090, kernel.AllBits, 0xA81},            // UFCR: clock divided by 1; FIFO levels 1 and 2
	{0x02020080, kernel.AllBits, 1},                // UCR1.UARTEN
	{0x020200A4, kernel.AllBits, 47},               // UBIR and UBMR:
	{0x020200A8, kernel.AllBits, 624},              // 24 MHz / 16 * 48/625 = 115,200
	{0x02020084, kernel.AllBits, 0x4027},           // UCR2: IRTS, 8 bits, transmit, receive
}

// UART2 is the same for UART2, on pads UART2_TX_DATA and UART2_RX_DATA.
var UART2 = kernel.Steps{
	{0x020E0094, kernel.AllBits, 0}, // mux of UART2_TX_DATA: ALT0, UART2_TX
	{0x020E0320, kernel.AllBits, 0x1b0b1},
	{0x020E0098, kernel.AllBits, 0}, // mux of UART2_RX_DATA: ALT0, UART2_RX
	{0x020E0324, kernel.AllBits, 0x1b0b1},
	{0x020E062C, kernel.AllBits, 1}, // UART2_RX comes from that pad

	{0x021E8098 | kernel.StepWait, 1 << 3, 1 << 3},
	{0x021E8080, kernel.AllBits, 0},
	{0x021E8084, kernel.AllBits, 0},
	{0x021E8084 | kernel.StepWait, 1, 1},
	{0x021E8088, kernel.AllBits, 0x784},
	{0x021E8090, kernel.AllBits, 0xA81},
	{0x021E8080, kernel.AllBits, 1},
	{0x021E80A4, kernel.AllBits, 47},
	{0x021E80A8, kernel.AllBits, 624},
	{0x021E8084, kernel.AllBits, 0x4027},
}

// EthernetPLL makes the 50 MHz that RMII runs on, for both controllers. Chapter "Clock
// Controller Module (CCM)", CCM_ANALOG_PLL_ENET.
var EthernetPLL = kernel.Steps{
	{0x020C80E0, 1<<16 | 1<<12 | 0xf, 1<<16 | 0x5},     // BYPASS until it is ready; POWERDOWN off; DIV_SELECT: 50 MHz
	{0x020C80E0 | kernel.StepWait, 1 << 31, 1 << 31},   // LOCK
	{0x020C80E0, 1<<20 | 1<<16 | 1<<13, 1<<20 | 1<<13}, // both outputs on, no BYPASS
}

// Ethernet1 connects ENET1 to its pads, and to the pads GPIO1_IO06 and GPIO1_IO07 for
// MDIO. The RMII clock goes out, and comes back to the controller from its pad.
var Ethernet1 = kernel.Steps{
	{0x020E4004, 1<<17 | 1<<13, 1 << 17}, // IOMUXC_GPR1: ENET1_TX_CLK_DIR out, ENET1_CLK_SEL the pad

	{0x020E00C4, kernel.AllBits, 0},       // mux of ENET1_RX_DATA0: ALT0, its own name
	{0x020E0350, kernel.AllBits, 0x1b0b0}, // pad: 100 kohm up, hysteresis, 40 ohm
	{0x020E00C8, kernel.AllBits, 0},       // ENET1_RX_DATA1
	{0x020E0354, kernel.AllBits, 0x1b0b0},
	{0x020E00CC, kernel.AllBits, 0}, // ENET1_RX_EN
	{0x020E0358, kernel.AllBits, 0x1b0b0},
	{0x020E00D0, kernel.AllBits, 0}, // ENET1_TX_DATA0
	{0x020E035C, kernel.AllBits, 0x1b0b0},
	{0x020E00D4, kernel.AllBits, 0}, // ENET1_TX_DATA1
	{0x020E0360, kernel.AllBits, 0x1b0b0},
	{0x020E00D8, kernel.AllBits, 0}, // ENET1_TX_EN
	{0x020E0364, kernel.AllBits, 0x1b0b0},
	{0x020E00DC, kernel.AllBits, 0x14}, // ENET1_TX_CLK: ALT4, ENET1_REF_CLK1; SION, so that it comes back in
	{0x020E0368, kernel.AllBits, 0x1b031},
	{0x020E0574, kernel.AllBits, 2}, // ENET1_REF_CLK1 comes from that pad
	{0x020E00E0, kernel.AllBits, 0}, // ENET1_RX_ER
	{0x020E036C, kernel.AllBits, 0x1b0b0},

	{0x020E0074, kernel.AllBits, 0}, // GPIO1_IO06: ALT0, ENET1_MDIO
	{0x020E0300, kernel.AllBits, 0x1b0b0},
	{0x020E0578, kernel.AllBits, 0}, // ENET1_MDIO comes from that pad
	{0x020E0078, kernel.AllBits, 0}, // GPIO1_IO07: ALT0, ENET1_MDC
	{0x020E0304, kernel.AllBits, 0x1b0b0},
}

// Ethernet2 is the same for ENET2. Only one of the two can have MDIO on those pads.
var Ethernet2 = kernel.Steps{
	{0x020E4004, 1<<18 | 1<<14, 1 << 18}, // IOMUXC_GPR1: ENET2_TX_CLK_DIR out, ENET2_CLK_SEL the pad

	{0x020E00E4, kernel.AllBits, 0}, // ENET2_RX_DATA0
	{0x020E0370, kernel.AllBits, 0x1b0b0},
	{0x020E00E8, kernel.AllBits, 0}, // ENET2_RX_DATA1
	{0x020E0374, kernel.AllBits, 0x1b0b0},
	{0x020E00EC, kernel.AllBits, 0}, // ENET2_RX_EN
	{0x020E0378, kernel.AllBits, 0x1b0b0},
	{0x020E00F0, kernel.AllBits, 0}, // ENET2_TX_DATA0
	{0x020E037C, kernel.AllBits, 0x1b0b0},
	{0x020E00F4, kernel.AllBits, 0}, // ENET2_TX_DATA1
	{0x020E0380, kernel.AllBits, 0x1b0b0},
	{0x020E00F8, kernel.AllBits, 0}, // ENET2_TX_EN
	{0x020E0384, kernel.AllBits, 0x1b0b0},
	{0x020E00FC, kernel.AllBits, 0x14}, // ENET2_TX_CLK: ALT4, ENET2_REF_CLK2; SION
	{0x020E0388, kernel.AllBits, 0x1b031},
	{0x020E057C, kernel.AllBits, 2}, // ENET2_REF_CLK2 comes from that pad
	{0x020E0100, kernel.AllBits, 0}, // ENET2_RX_ER
	{0x020E038C, kernel.AllBits, 0x1b0b0},

	{0x020E0074, kernel.AllBits, 1}, // GPIO1_IO06: ALT1, ENET2_MDIO
	{0x020E0300, kernel.AllBits, 0x1b0b0},
	{0x020E0580, kernel.AllBits, 0}, // ENET2_MDIO comes from that pad
	{0x020E0078, kernel.AllBits, 1}, // GPIO1_IO07: ALT1, ENET2_MDC
	{0x020E0304, kernel.AllBits, 0x1b0b0},
}

// USB1 gives the first USB controller its clocks and its PHY's power, for device mode. The
// PLL may be in use already, so it is not switched off; the PHY, which the ROM or a loader
// may have used, begins from its reset. The charger's detector would pull at the data
// lines. The emulator has no device mode to be made ready.
//
// Compared with Linux (drivers/usb/phy/phy-mxs-usb.c, arch/arm/boot/dts/imx6ul.dtsi,
// drivers/clk/imx/clk-imx6ul.c), U-Boot (drivers/usb/host/ehci-mx6.c), and TamaGo
// (soc/nxp/usb/bus.go, soc/nxp/imx6ul). U-Boot and TamaGo leave the PHY's supply
// (PMU_REG_3P0) as it is after a reset, which is off, if the register resets as the i.MX
// RT's does; Linux switches it on for better signals (its commit 966d73152078), and so does
// NXP's SDK for the i.MX RT.
var USB1 = kernel.Steps{
	{digprog | kernel.StepUnless, kernel.AllBits, emulated},

	// Chapter "Clock Controller Module (CCM)".
	{0x020C8010, 1 << 12, 1 << 12},                   // CCM_ANALOG_PLL_USB1: POWER
	{0x020C8010 | kernel.StepWait, 1 << 31, 1 << 31}, // LOCK
	{0x020C8010, 1<<16 | 1<<13 | 1<<6, 1<<13 | 1<<6}, // no BYPASS; ENABLE, EN_USB_CLKS
	{0x020C4080, 3, 3},                               // CCM_CCGR6: CG0, usboh3

	{0x020C8120, 1, 1}, // PMU_REG_3P0: ENABLE_LINREG; chapter "Power Management Unit (PMU)"

	// Chapter "Universal Serial Bus 2.0 Integrated PHY (USB-PHY)". The reset is that of
	// Linux's lib/stmp_device.c: a bit is seen to be off before the next one is written.
	{0x020C9030, 1 << 31, 0}, // USBPHY1_CTRL: SFTRST off
	{0x020C9030 | kernel.StepWait, 1 << 31, 0},
	{0x020C9030, 1 << 30, 0},                         // CLKGATE off, which a reset switches on:
	{0x020C9030, 1 << 31, 1 << 31},                   // SFTRST
	{0x020C9030 | kernel.StepWait, 1 << 30, 1 << 30}, // until that is done
	{0x020C9030, 1 << 31, 0},
	{0x020C9030 | kernel.StepWait, 1 << 31, 0},
	{0x020C9030, 1 << 30, 0},
	{0x020C9030 | kernel.StepWait, 1 << 30, 0},
	{0x020C9030, 1<<15 | 1<<14, 1<<15 | 1<<14}, // ENUTMILEVEL3, ENUTMILEVEL2
	{0x020C9000, kernel.AllBits, 0},            // USBPHY1_PWD: all on
	{0x020C81B0, 1<<20 | 1<<19, 1<<20 | 1<<19}, // USB_ANALOG_USB1_CHRG_DETECT: EN_B, CHK_CHRG_B
}

// GPIO5's pins on the evaluation kits: a shift register (74LV595) with eight outputs.
const (
	gpio5  = 0x020AC000 // GPIO5_DR; chapter "General Purpose Input/Output (GPIO)"
	latch  = 1 << 7     // STCP: outputs take over what was shifted in, when it rises
	off    = 1 << 8     // nOE: outputs float
	bit    = 1 << 10    // SDI: what to shift in
	clock  = 1 << 11    // SHCP: shifts when it rises
	shift  = bit | clock
	resets = latch | off | shift
)

// ExpanderPadsUL makes GPIOs of the pads that the shift register hangs on: the i.MX6UL's.
var ExpanderPadsUL = kernel.Steps{
	{0x020E0014, kernel.AllBits, 5}, // BOOT_MODE0: ALT5, GPIO5_IO10
	{0x020E0018, kernel.AllBits, 5}, // BOOT_MODE1: ALT5, GPIO5_IO11
	{0x020E0038, kernel.AllBits, 5}, // SNVS_TAMPER7: ALT5, GPIO5_IO07
	{0x020E003C, kernel.AllBits, 5}, // SNVS_TAMPER8: ALT5, GPIO5_IO08
}

// ExpanderPadsULL does so on the i.MX6ULL, which has them in a block of its own: IMX6ULLRM,
// chapter "IOMUXC SNVS".
var ExpanderPadsULL = kernel.Steps{
	{digprog | kernel.StepUnless, 0xff0000, emulated},

	{0x02290000, kernel.AllBits, 5}, // BOOT_MODE0
	{0x02290004, kernel.AllBits, 5}, // BOOT_MODE1
	{0x02290024, kernel.AllBits, 5}, // SNVS_TAMPER7
	{0x02290028, kernel.AllBits, 5}, // SNVS_TAMPER8
}

// Expander shifts 0x57 in, the highest bit first, as Linux's device tree of the boards has
// it: Q1 and Q2, the resets of the two Ethernet PHYs, high, which is no reset; Q0 and Q4,
// HDMI and Bluetooth, likewise; Q6 switches the camera off. Q7 low switches the LCD on.
var Expander = kernel.Steps{
	{gpio5, resets, 0},
	{gpio5 + 4, resets, resets}, // GPIO5_GDIR: outputs

	{gpio5, shift, 0}, // Q7
	{gpio5, clock, clock},
	{gpio5, shift, bit}, // Q6
	{gpio5, clock, clock},
	{gpio5, shift, 0}, // Q5
	{gpio5, clock, clock},
	{gpio5, shift, bit}, // Q4
	{gpio5, clock, clock},
	{gpio5, shift, 0}, // Q3
	{gpio5, clock, clock},
	{gpio5, shift, bit}, // Q2
	{gpio5, clock, clock},
	{gpio5, shift, bit}, // Q1
	{gpio5, clock, clock},
	{gpio5, shift, bit}, // Q0
	{gpio5, clock, clock},

	{gpio5, latch, latch},
}

// Not all processors of the family have both noise sources: NoCAAM and NoRNGB tell those
// that lack one (kernel.NoiseSource.Absent). The emulator has neither.
var (
	NoCAAM = kernel.Steps{
		{digprog | kernel.StepUnless, kernel.AllBits, emulated},
		{digprog | kernel.StepUnless, 0xff0000, 0x650000}, // i.MX6ULL, i.MX6ULZ
	}
	NoRNGB = kernel.Steps{
		{digprog | kernel.StepUnless, 0xff0000, emulated}, // i.MX6UL
	}
)

// Where they are: chapter "Memory Maps".
const (
	CAAM = 0x02140000
	RNGB = 0x02284000
)
