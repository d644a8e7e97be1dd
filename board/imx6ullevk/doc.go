// Package imx6ullevk is NXP's MCIMX6ULL-EVK: an i.MX6ULL (one Cortex-A7) with 512 MB of
// RAM, the console on UART1 and two Ethernet ports with KSZ8081 PHYs, of which the first
// (ENET1, PHY at MDIO address 2) is used: MDIO is wired to one controller at a time.
//
// QEMU has no machine for it: images run on its mcimx6ul-evk, an i.MX6UL, which lacks the
// third bridge and the SNVS pads; the steps that are about these are left out there.
//
// Addresses and interrupts are those of IMX6ULLRM, chapters "Memory Maps" and
// "Interrupts and DMA Events"; an interrupt's GIC number is the manual's plus 32.
//
// Importing the package, which package board does under the build tag imx6ullevk,
// links the kernel into the program.
package imx6ullevk
