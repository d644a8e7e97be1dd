package serial

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// openPTY makes a pair of a terminal's two ends (pts(4)).
func openPTY(t *testing.T) (master *os.File, slave string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("no pseudo terminals: ", err)
	}
	t.Cleanup(func() { master.Close() })
	var n int
	conn, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

func TestOpen(t *testing.T) {
	master, name := openPTY(t)
	port, err := Open(name, 115200)
	if err != nil {
		t.Fatal(err)
	}
	// Raw: nothing is echoed, changed or kept back until a line ends.
	const text = "a\r\n\x03\x04\x11b"
	io.WriteString(master, text)
	got := make([]byte, len(text))
	if _, err := io.ReadFull(port, got); err != nil || string(got) != text {
		t.Errorf("%q, %v; want %q", got, err, text)
	}
	io.WriteString(port, "x\ny")
	if _, err := io.ReadFull(master, got[:3]); err != nil || string(got[:3]) != "x\ny" {
		t.Errorf("the other way: %q, %v", got[:3], err)
	}
	// Close ends a Read.
	ended := make(chan error)
	go func() { _, err := port.Read(got); ended <- err }()
	port.Close()
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read ends with %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, 115200); !errors.Is(err, ErrNoPort) {
		t.Errorf("a file: %v", err)
	}
	if _, err := Open(file+"x", 115200); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Open(file, 12345); err == nil {
		t.Error("12345 bits per second were accepted")
	}
}
