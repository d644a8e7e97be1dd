package flash

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of targets.
var (
	// ErrNotDisk says that the target is neither a file nor a whole disk.
	ErrNotDisk = errors.New("not a disk")
	// ErrTooSmall says that the image doesn't fit.
	ErrTooSmall = errors.New("too small")
	// ErrInUse says that the target is a disk that somebody uses, or one that can't be
	// taken out.
	ErrInUse = errors.New("not written")
	// ErrVerify says that something else was read back than was written.
	ErrVerify = errors.New("it reads back differently")
)

// A Target is where an image is to go.
type Target struct {
	Path      string
	Device    bool   // a block device; otherwise a file, which may not be there yet
	Size      int64  // in bytes; 0 for a file, which has room for anything
	Name      string // of the hardware, if it has one
	Removable bool
	Uses      []string // what of it is mounted, or used otherwise: "/dev/sdb1 on /media/card"
	System    bool     // the running system is on it
}

// String is the target for people.
func (t Target) String() string {
	if !t.Device {
		return t.Path
	}
	list := []string{fmt.Sprintf("%.1f GB", float64(t.Size)/1e9)}
	if t.Name != "" {
		list = append([]string{t.Name}, list...)
	}
	if t.Removable {
		list = append(list, "removable")
	}
	return fmt.Sprintf("%s (%s)", t.Path, strings.Join(list, ", "))
}

// Check says what speaks against writing size bytes to t. Force is for somebody who knows
// that the disk is in use or not removable. Errors wrap ErrTooSmall or ErrInUse.
func (t Target) Check(size int64, force bool) error {
	switch {
	case !t.Device:
		return nil
	case size > t.Size:
		return fmt.Errorf("%v: %w: the image has %d bytes", t, ErrTooSmall, size)
	case t.System:
		return fmt.Errorf("%v: %w: this system runs from it (%s)", t, ErrInUse, strings.Join(t.Uses, ", "))
	case len(t.Uses) > 0 && !force:
		return fmt.Errorf("%v: %w: it is in use (%s); unmount it first, or insist with --yes", t, ErrInUse, strings.Join(t.Uses, ", "))
	case !t.Removable && !force:
		return fmt.Errorf("%v: %w: it is not removable, so it is hardly a card; if it is, insist with --yes", t, ErrInUse)
	}
	return nil
}
