// Package imx6ulevk is NXP's MCIMX6UL-EVK: an i.MX6UL (one Cortex-A7) with 512 MB
// of RAM, as QEMU's machine mcimx6ul-evk models it.
//
// Addresses and interrupts are those of IMX6ULRM, chapters "Memory Maps" and
// "Interrupts and DMA Events"; an interrupt's GIC number is the manual's plus 32.
//
// Importing the package, which package board does under the build tag imx6ulevk,
// links the kernel into the program. The image is linked at 0x80010000 with
// imx6ulevk_entry as its entry point.
package imx6ulevk
