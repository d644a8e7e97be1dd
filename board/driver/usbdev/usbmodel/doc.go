// Package usbmodel is a model of the chipidea USB controller in device mode, as far as
// IMX6ULRM, chapter "Universal Serial Bus Controller (USB)", describes it, with a host at
// the other end of the cable: registers, queue heads and transfer descriptors in DMA
// memory, setup lock-out and tripwires, data toggles, stalls, and the host's control,
// bulk and interrupt transfers.
//
// Setup packets drop an address that waits for its IN, and stalls of endpoint 0 are taken
// back for a moment after a setup packet was acknowledged, as HPMicro's hpm_usb_regs.h, with
// the register texts of the same core, has them.
//
// It reports what a driver does wrong where hardware would misbehave silently: descriptors
// changed while they are the controller's, misaligned lists, primes of endpoints that are
// not enabled, toggles out of step, streaming (ERR007881), a reset with endpoints primed.
package usbmodel
