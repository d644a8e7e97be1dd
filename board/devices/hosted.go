//go:build !imx6ulevk && !imx6ullevk && !usbarmory

package devices

import "ingot.dev/board/nic"

// Ethernet opens the board's Ethernet port.
func Ethernet(EthernetOptions) (nic.Device, error) { return nil, ErrHosted }

// OpenWatchdog opens the board's watchdog.
func OpenWatchdog() (Watchdog, error) { return nil, ErrHosted }

// OpenClock opens the board's clock.
func OpenClock() (Clock, error) { return nil, ErrHosted }

// OpenLights opens the board's LEDs.
func OpenLights() (Lights, error) { return nil, ErrHosted }
