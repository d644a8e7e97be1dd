// Package imx6ul is what boards with processors of the i.MX6UL family (i.MX6UL,
// i.MX6ULL, i.MX6ULZ) have in common: the kernel's steps that make the processor ready
// when its boot ROM, and no boot loader, has started the image.
//
// The ROM hands over with RAM as the image's device configuration data made it and not
// much else: peripherals are closed to user mode, the system counter stands still, pins
// and UART are as after a reset. U-Boot leaves all that done; doing it again changes
// nothing but the console's speed, which is 115,200 baud from here on.
//
// References: IMX6ULRM and IMX6ULLRM, the i.MX 6UltraLite and 6ULL Applications Processor
// Reference Manuals. Numbers of pads are in chapter "IOMUX Controller (IOMUXC)".
//
// A board lists the tables that it needs, as [ingot.dev/kernel.Board.SetUp].
package imx6ul
