package flash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"ingot.dev/board/boards"
)

// Errors of the serial download.
var (
	// ErrNoLoader says that the program that does it is not installed.
	ErrNoLoader = errors.New("imx_usb is not installed")
	// ErrNoBoard says that no board waits for it.
	ErrNoBoard = errors.New("no board waits for a serial download")
)

// loader is the program, and LoaderPackage what Debian calls its package.
const (
	loader        = "imx_usb"
	LoaderPackage = "imx-usb-loader"
)

// ocramSize is the on-chip RAM that all processors of the family have.
const ocramSize = 0x20000

// Download sends a boot image over USB to a board whose boot ROM waits for one, and starts
// it; nothing is stored there. It is done by imx_usb (imx-usb-loader), with a configuration
// of its own: the one that comes with it is for an i.MX6's RAM, which begins elsewhere.
// Arguments go to it before the image's name.
//
// Errors wrap ErrNoLoader or ErrNoBoard, or show what it said.
func Download(ctx context.Context, b boards.Board, image []byte, args ...string) error {
	path, err := exec.LookPath(loader)
	if err != nil {
		return fmt.Errorf("%w: on Debian: apt-get install %s", ErrNoLoader, LoaderPackage)
	}
	dir, err := os.MkdirTemp("", "ingot-flash-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "image.imx")
	devices := ""
	for _, id := range b.ROM.USB {
		devices += fmt.Sprintf("%#04x:%#04x, board.conf\n", id.Vendor, id.Product)
	}
	// A name; then hid, bytes of a report, where the DCD goes (on-chip RAM, before there
	// is other), and where there is RAM.
	board := fmt.Sprintf("%s\nhid,1024,%#x,%#x,%dM,0x00900000,%#x\n", b.Name, b.BootParams, ramStart(b), b.RAM>>20, ocramSize)
	for name, data := range map[string][]byte{file: image, filepath.Join(dir, "imx_usb.conf"): []byte(devices), filepath.Join(dir, "board.conf"): []byte(board)} {
		if err := os.WriteFile(name, data, 0o666); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, path, append(append([]string{"-c", dir}, args...), file)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case strings.Contains(out.String(), "no matching USB device found"):
		return fmt.Errorf("%w (USB id %v): set its boot mode to serial download, connect its USB OTG port and switch it on; you may need root's rights for USB", ErrNoBoard, b.ROM.USB)
	}
	return fmt.Errorf("%s: %w\n%s", loader, err, lastLines(out.String(), 5))
}

// ramStart is where the board's RAM is: in front of the image by less than a megabyte.
func ramStart(b boards.Board) uint64 { return b.TextAddr &^ (1<<20 - 1) }

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
