package firmware

import (
	"time"

	"golang.org/x/sys/unix"
)

// hasEntropy asks the kernel for random numbers without waiting for them.
func hasEntropy() bool {
	var b [1]byte
	n, err := unix.Getrandom(b[:], unix.GRND_NONBLOCK)
	return n == 1 && err == nil
}

func setClock(t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
}
