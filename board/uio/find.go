package uio

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
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
	return dir + "/uio" + strconv.Itoa(n)
}

func (r Root) sys(n int, rest string) string {
	dir := r.Sys
	if dir == "" {
		dir = "/sys/class/uio"
	}
	return dir + "/uio" + strconv.Itoa(n) + "/" + rest
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
func (r Root) Names() ([]string, error) {
	var names []string
	_, err := r.find(func(name string) bool {
		names = append(names, name)
		return false
	})
	return names, err
}

// find returns the number of the first device whose name is wanted, -1 if there is none.
// There is no directory to list, so it asks until a number isn't there.
func (r Root) find(wanted func(name string) bool) (int, error) {
	for n := range maxDevices {
		name, err := readText(r.sys(n, "name"))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return -1, fmt.Errorf("uio: name of device %d: %w", n, err)
		}
		if wanted(name) {
			return n, nil
		}
	}
	return -1, nil
}

// readText reads one of the small files that describe devices. A boot reads dozens of them,
// and os.ReadFile has Go's poller look at each.
func readText(path string) (string, error) {
	failed := func(op string, err error) (string, error) {
		return "", &fs.PathError{Op: op, Path: path, Err: err}
	}
	retry := func(call func() (int, error)) (n int, err error) {
		for err = syscall.EINTR; err == syscall.EINTR; {
			n, err = call()
		}
		return n, err
	}
	fd, err := retry(func() (int, error) { return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0) })
	if err != nil {
		return failed("open", err)
	}
	defer syscall.Close(fd)
	var text [256]byte
	n, err := retry(func() (int, error) { return syscall.Read(fd, text[:]) })
	if err != nil {
		return failed("read", err)
	}
	if n == len(text) {
		return failed("read", syscall.EFBIG)
	}
	return strings.TrimSpace(string(text[:n])), nil
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
		path := r.sys(n, "maps/map"+strconv.Itoa(m)+"/"+name)
		text, err := readText(path)
		if err != nil {
			return 0, err
		}
		v, err := strconv.ParseUint(text, 0, bits)
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
