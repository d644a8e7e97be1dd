package imx6ulevk

import "ingot.dev/kernel"

// Name is what the board is called in build tags, commands and messages.
const Name = "imx6ulevk"

// machine is read by the kernel before the program starts.
var machine = kernel.Board{
	Name:    Name,
	RAMBase: 0x80000000,
	RAMSize: 512 << 20,

	GICD: 0x00A01000,
	GICC: 0x00A02000,

	UART:     0x02020000, // UART1
	UARTIRQ:  58,
	Watchdog: 0x020BC000, // WDOG1
	Params:   0x00910000, // in OCRAM, which survives a warm reset

	SetUp: SetUp,
	Noise: Noise,
	Devices: []kernel.Device{
		{Name: "enet1", Regs: 0x02188000, Size: 0x4000, IRQ: 150, DMA: 512 << 10},
		{Name: "enet2", Regs: 0x020B4000, Size: 0x4000, IRQ: 152, DMA: 512 << 10},
		{Name: "wdog1", Regs: 0x020BC000, Size: 0x4000},
		{Name: "snvs", Regs: 0x020CC000, Size: 0x4000},
		{Name: "ocotp", Regs: 0x021BC000, Size: 0x4000},
	},
}
