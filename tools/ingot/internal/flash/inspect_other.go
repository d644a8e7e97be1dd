//go:build !linux

package flash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// System is how to look at disks: not at all here.
type System struct{}

// Inspect looks at what path is: a file, on this system. Errors wrap ErrNotDisk.
func (s System) Inspect(path string) (Target, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Target{Path: path}, nil
	case err != nil:
		return Target{}, err
	case !info.Mode().IsRegular():
		return Target{}, fmt.Errorf("%s: %w that can be looked at on this system: write a file, and that to the card with another program", path, ErrNotDisk)
	}
	return Target{Path: path}, nil
}

func openDisk(path string, force bool) (*os.File, error) { return nil, errors.ErrUnsupported }
func forget(*os.File, bool)                              {}
func reread(*os.File)                                    {}
