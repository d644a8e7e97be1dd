// Package imx makes and reads the images that the boot ROM of NXP's i.MX6 processors
// starts, and the other forms of an image that are not ELF.
//
// Reference: i.MX 6UltraLite Applications Processor Reference Manual (IMX6ULRM), chapter
// "System Boot", sections "Program image" (image vector table, boot data) and "Device
// Configuration Data".
//
// # What the ROM does
//
// The ROM reads the first 4 KB of an SD card or eMMC. At byte 0x400 it expects the image
// vector table (IVT), which points to boot data and to device configuration data (DCD).
// It carries out the DCD, a list of register writes, after which there is RAM. Then it
// copies the device, from its byte 0 on, to where boot data says, and jumps to the entry
// point. Over USB it takes the same from a host: serial download.
//
// # What an Ingot image looks like to it
//
//	on the card  in RAM
//	0x0000       0x8000E000  partition table; not used
//	0x0400       0x8000E400  IVT, boot data, DCD
//	0x1000       0x8000F000  the image: ELF header, text, constants, data
//
// The kernel uses neither of the two first pages. It reads the ELF header to learn what
// it may write, and fills bss with zeros itself, page by page, when the program first
// touches it; so a flat copy of the file's segments is all that has to be in RAM
// ([Flatten]).
//
// The raw binary ([Flat.Binary]) is for loaders that know no format. It is loaded at
// 0x8000E000 and entered at its first byte, where there is a branch to the entry point.
//
// A card image ([Image.Card]) has a partition table with one partition that covers the
// boot image, so that other systems don't take the card for an empty one.
package imx
