package kernel

// A Board describes the machine that an image is built for: what the kernel
// itself drives (RAM, interrupt controller, console, reset) and the devices
// that it hands to user-mode drivers as /dev/uioN.
//
// A board package declares one as static data and passes its address to the
// kernel's entry point. The kernel copies what it needs before user mode starts,
// since the declaration lies in memory that the program may write.
type Board struct {
	Name    string
	RAMBase uint32 // physical address: 0x80000000, which vm.go's map is made for
	RAMSize uint32 // bytes; a multiple of 1 MB, 768 MB at most

	// Physical addresses of what the kernel drives: below 0x0F000000.

	GICD uint32 // interrupt distributor (GICv2)
	GICC uint32 // interrupt controller, CPU interface

	UART     uint32 // console: an i.MX UART
	UARTIRQ  uint32
	Watchdog uint32 // i.MX watchdog, used to reset the board
	Params   uint32 // page that a loader fills with boot parameters

	SetUp   []*Steps // what no loader may have done before
	Noise   []NoiseSource
	Devices []Device
}

// A Device is a peripheral for a user-mode driver.
type Device struct {
	Name string // as /sys/class/uio/uioN/name says it; at most 15 bytes
	Regs uint32 // physical address of the registers; page-aligned
	Size uint32 // bytes of registers; a multiple of the page size
	IRQ  uint32 // GIC interrupt ID; 0 = none
	DMA  uint32 // bytes of DMA memory wanted; a multiple of the page size
}
