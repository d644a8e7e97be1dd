// Package usbdev drives the USB controller of NXP's i.MX6UL family as a USB device, from
// user mode: a chipidea core, as in many processors.
//
// References: i.MX 6UltraLite Applications Processor Reference Manual (IMX6ULRM), chapter
// "Universal Serial Bus Controller (USB)", sections "Device Data Structures" and "Device
// Operational Model"; Universal Serial Bus Specification 2.0 (USB 2.0), chapter 9.
//
// # How it works
//
// Each direction of an endpoint has a queue head (dQH) and a chain of transfer descriptors
// (dTD) in DMA memory. A descriptor whose active bit is set is the controller's. A
// [Pipe] is such a chain as a ring of slots, each with a buffer for one transfer.
//
// One goroutine, [Device]'s controller, waits for the interrupt: it answers the host's
// requests on endpoint 0 (those of chapter 9 by itself, those of the device's class
// through [Function]), opens and closes pipes as the host chooses configurations and
// settings, and wakes those who wait for a pipe.
//
// A high-speed controller falls back to full speed on a host or hub that has no more; so
// there are two configuration descriptors. Test modes (USB 2.0, section 7.1.20),
// isochronous endpoints and remote wake-up are not offered: requests for them are stalled.
//
// # What the board must have done
//
// The PLL of the USB PHY, the controller's clock, and the PHY's power are the kernel's
// matter, in the board's steps.
package usbdev
