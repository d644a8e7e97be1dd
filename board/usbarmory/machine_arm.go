package usbarmory

import "ingot.dev/kernel"

// Name is what the board is called in build tags, commands and messages.
const Name = "usbarmory"

// machine is read by the kernel before the program starts.
var machine = kernel.Board{
	Name:    Name,
	RAMBase: 0x80000000,
	RAMSize: 512 << 20,

	GICD: 0x00A01000,
	GICC: 0x00A02000,

	UART:     0x021E8000, // UART2
	UARTIRQ:  59,
	Watchdog: 0x020BC000, // WDOG1
	Params:   0x00910000, // in OCRAM, which survives a warm reset

	SetUp: SetUp,
	Noise: Noise,
	Devices: []kernel.Device{
		{Name: "enet1", Regs: 0x02188000, Size: 0x4000, IRQ: 150, DMA: 512 << 10},
		{Name: "enet2", Regs: 0x020B4000, Size: 0x4000, IRQ: 152, DMA: 512 << 10},
		{Name: "usb1", Regs: 0x02184000, Size: 0x1000, IRQ: 75, DMA: 256 << 10}, // the plug; USB OTG1
		{Name: "wdog1", Regs: 0x020BC000, Size: 0x4000},
		{Name: "src", Regs: 0x020D8000, Size: 0x4000},
		{Name: "gpio4", Regs: 0x020A8000, Size: 0x4000}, // LEDs
		{Name: "snvs", Regs: 0x020CC000, Size: 0x4000},
		{Name: "ocotp", Regs: 0x021BC000, Size: 0x4000},
	},
}
