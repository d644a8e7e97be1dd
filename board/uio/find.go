package uio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Root says where the files of UIO are. The zero value is where they always
// are; tests have others.
type Root struct {
	Dev string // "/dev" when empty
	Sys string // "/sys/class/uio" when empty
}

func (r Root) dev(n int) string {
	dir := r.Dev
	if dir == "" {
		dir = "/dev"
	}
	return filepath.Join(dir, "uio"+strconv.Itoa(n))
}

func (r Root) sys(n int, rest string) string {
	dir := r.Sys
	if dir == "" {
		dir = "/sys/class/uio"
	}
	return filepath.Join(dir, "uio"+strconv.Itoa(n), rest)
}

// NotFoundError says that there is no device of the wanted name, and which
// there are. It matches fs.ErrNotExist.
type NotFoundError struct {
	Name  string
	Names []string
}

func (e *NotFoundError) Error() string {
	if len(e.Names) == 0 {
		return fmt.Sprintf("uio: no device %q: this machine has no UIO devices", e.Name)
	}
	return fmt.Sprintf("uio: no device %q: this machine has %s", e.Name, strings.Join(e.Names, ", "))
}

func (e *NotFoundError) Is(target error) bool { return target == fs.ErrNotExist }

// maxDevices ends the search for devices, should a filesystem answer every name.
const maxDevices = 256

// Names returns the names of all devices; the index is the N of /dev/uioN.
// There is no directory to list, so it asks until a number isn't there.
func (r Root) Names() ([]string, error) {
	var names []string
	for n := range maxDevices {
		text, err := os.ReadFile(r.sys(n, "name"))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return names, fmt.Errorf("uio: name of device %d: %w", n, err)
		}
		names = append(names, strings.TrimSpace(string(text)))
	}
	return names, nil
}

// region describes one of a device's memory regions.
type region struct {
	phys   uint64
	size   int
	offset int // of phys within its first page
}

// maxRegion bounds what a region's size may be: more is a broken file.
const maxRegion = 1 << 30

// region reads the description of region m of device n. The error matches
// fs.ErrNotExist when there is none.
func (r Root) region(n, m int) (region, error) {
	field := func(name string, bits int) (uint64, error) {
		path := r.sys(n, fmt.Sprintf("maps/map%d/%s", m, name))
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		v, err := strconv.ParseUint(strings.TrimSpace(string(text)), 0, bits)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		return v, nil
	}
	addr, err := field("addr", 64)
	if err != nil {
		return region{}, err
	}
	size, err := field("size", 64)
	if err != nil {
		return region{}, err
	}
	// Linux maps whole pages; this is where in the first one the region starts.
	offset, err := field("offset", 12)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return region{}, err
	}
	if size == 0 || size > maxRegion {
		return region{}, fmt.Errorf("region %d of device %d has %d bytes", m, n, size)
	}
	return region{phys: addr, size: int(size), offset: int(offset)}, nil
}
