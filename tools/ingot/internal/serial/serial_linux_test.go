package serial

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ingot.dev/tools/ingot/internal/serial/serialtest"
)

func TestOpen(t *testing.T) {
	master, name := serialtest.Open(t)
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
