package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// rates are the codes of termios(3) for the rates that boards' consoles have.
var rates = map[int]uint32{
	9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200,
	230400: unix.B230400, 460800: unix.B460800, 921600: unix.B921600, 1000000: unix.B1000000, 1500000: unix.B1500000, 3000000: unix.B3000000,
}

// Rates lists the rates in bits per second that Open takes.
func Rates() []int { return slices.Sorted(maps.Keys(rates)) }

// ErrNoPort says that a file is no serial port.
var ErrNoPort = errors.New("not a serial port")

// Open opens a port. The file's Close ends a Read that waits. Errors wrap what opening
// the file says, or ErrNoPort.
func Open(name string, rate int) (*os.File, error) {
	code, ok := rates[rate]
	if !ok {
		return nil, fmt.Errorf("%s: no rate %d; there are %v", name, rate, Rates())
	}
	// Not to become the terminal of this process, and not to wait for a carrier.
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	conn, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	var set error
	err = conn.Control(func(fd uintptr) { set = setRaw(int(fd), code) })
	if err := errors.Join(err, set); err != nil {
		f.Close()
		if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
			err = ErrNoPort
		}
		return nil, &fs.PathError{Op: "set up", Path: name, Err: err}
	}
	return f, nil
}

// setRaw is cfmakeraw(3) and cfsetspeed(3).
func setRaw(fd int, rate uint32) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CRTSCTS | unix.CBAUD
	t.Cflag |= unix.CS8 | unix.CREAD | unix.CLOCAL | rate
	t.Ispeed, t.Ospeed = rate, rate
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
