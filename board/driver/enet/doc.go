// Package enet drives the Ethernet controller of NXP's i.MX6UL, i.MX6ULL and
// i.MX6ULZ from user mode, and offers it as a [ingot.dev/board/nic.Device].
//
// References: i.MX 6UltraLite Applications Processor Reference Manual
// (IMX6ULRM), chapter "10/100-Mbps Ethernet MAC (ENET)"; Chip Errata
// IMX6ULCE, ERR007885; IEEE 802.3 clause 22 for the PHY.
//
//	dev, err := enet.Open("enet1", enet.Options{})
//
// # How it works
//
// The controller reads and writes frames by itself, in two rings of descriptors
// in DMA memory. A descriptor has an owner bit; whoever finds it on his side may
// touch the descriptor and its buffer, and hands both over by flipping the bit.
// All other words of a descriptor are written before that bit, with an ordinary
// store; the bit's word with sync/atomic, which on ARMv7 is a store between two
// barriers. Reading it is a load with a barrier behind. That order is all the
// locking that there is between driver and hardware.
//
// The interrupt only wakes, goroutines work. There is no goroutine for the
// interrupt: whoever waits for a frame (or for room in the transmit ring) waits
// on the UIO file himself, so that one wake-up is enough. When both wait, one
// does it for the other; see wait.go for why nothing gets lost.
//
// The one goroutine of the driver is linkMonitor. Once a second it asks the PHY
// for the state of the link, restarts the controller when speed or duplex
// changed, looks for errors that raise no interrupt, and calls those who
// registered with OnLink.
//
// # Costs
//
// DMA memory is not cached, so accesses are counted: a received frame costs one
// load and three stores of descriptor words, a sent one three stores and, to see
// which checksums the controller is to insert, two loads of its headers; finding
// out that a burst was sent costs one load for all of it. Per batch come one
// register write to give receive descriptors back, one read and one write to
// start a burst.
//
// # What the board must have done
//
// Clocks (ENET PLL, 50 MHz RMII reference), pins and the PHY's reset line are
// the matter of the boot loader or the board. Only RMII is supported, which is
// what the boards of this family have.
package enet
