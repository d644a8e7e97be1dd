// Package usbarmory is the USB armory Mk II: an i.MX6ULZ, i.MX6ULL or i.MX6UL (one
// Cortex-A7) with 512 MB of RAM. Its console is UART2, on the debug accessory.
//
// The LAN model has a DP83825I PHY on ENET2, at MDIO address 0. The other models' network is
// Ethernet over USB, at their plug: to the host that they are plugged into, they are a
// network adapter. An i.MX6ULZ has no Ethernet controller at all.
//
// QEMU has no machine for it: images run on its mcimx6ul-evk, with the console on the
// second serial port and the network on the second controller, whose PHY is another one
// at another address.
//
// Boards with 1 GB work with half of it, from boot loaders; the memory set-up in our
// boot images is that of boards with 512 MB.
//
// Addresses and interrupts are those of IMX6ULLRM, chapters "Memory Maps" and
// "Interrupts and DMA Events"; an interrupt's GIC number is the manual's plus 32.
//
// Importing the package, which package board does under the build tag usbarmory, links
// the kernel into the program.
package usbarmory
