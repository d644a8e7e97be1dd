// Package enetmodel is a model of the i.MX6UL's Ethernet controller, for
// testing its driver on a host: registers, the descriptor rings in DMA memory,
// the interrupt line, and a PHY.
//
// It behaves as the manual says (IMX6ULRM, chapter ENET), and in the freedom
// that leaves, as QEMU 7.2 or as hardware: see [Options]. EIR is cleared by
// writing ones; an event comes only for a descriptor with the INT bit; a
// received frame has its FCS behind it; reception stops at a used-up ring until
// RDAR is written.
//
// It is a strict teacher. What a driver must not do, real controllers mostly
// let pass, until the day they don't. The model reports it: writing a
// descriptor or buffer that belongs to the controller, a ring without wrap
// bit, a buffer that isn't aligned or lies outside of DMA memory, clearing
// events that nobody handled, changing registers that must not change while
// the controller runs, forgetting erratum ERR007885.
package enetmodel
