//go:build imx6ulevk || imx6ullevk || usbarmory

package devices

import (
	"ingot.dev/board/driver/snvs"
	"ingot.dev/board/driver/wdog"
)

// OpenWatchdog opens the board's watchdog, WDOG1.
func OpenWatchdog() (Watchdog, error) {
	w, err := wdog.Open("wdog1")
	if err != nil {
		return nil, err
	}
	return w, nil
}

// OpenClock opens the board's clock, that of SNVS.
func OpenClock() (Clock, error) {
	c, err := snvs.Open("snvs")
	if err != nil {
		return nil, err
	}
	return c, nil
}
