package flash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// System says where the kernel's own files are. The zero value is where they always are;
// tests have others.
type System struct {
	Sys  string // "/sys" when empty
	Proc string // "/proc" when empty
}

func (s System) sys(elem ...string) string {
	return filepath.Join(append([]string{cmpOr(s.Sys, "/sys")}, elem...)...)
}

func (s System) proc(elem ...string) string {
	return filepath.Join(append([]string{cmpOr(s.Proc, "/proc")}, elem...)...)
}

func cmpOr(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// Inspect looks at what path is. Errors are those of looking, or wrap ErrNotDisk.
func (s System) Inspect(path string) (Target, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !isDev(path):
		return Target{Path: path}, nil // a file to be made
	case errors.Is(err, fs.ErrNotExist):
		return Target{}, fmt.Errorf("%s: %w: there is no such device; 'lsblk' lists those there are", path, ErrNotDisk)
	case err != nil:
		return Target{}, err
	case info.Mode().IsRegular():
		return Target{Path: path}, nil
	case info.Mode()&(fs.ModeDevice|fs.ModeCharDevice) != fs.ModeDevice:
		return Target{}, fmt.Errorf("%s: %w: give a block device such as /dev/sdX, or a file", path, ErrNotDisk)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Target{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return s.describe(path, fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)))
}

// isDev tells a device that is not there from a file that is to be made.
func isDev(path string) bool {
	abs, err := filepath.Abs(path)
	return err == nil && strings.HasPrefix(abs, "/dev/")
}

// describe says what the kernel knows of a block device, by its number.
func (s System) describe(path, number string) (Target, error) {
	dir, err := filepath.EvalSymlinks(s.sys("dev", "block", number))
	if err != nil {
		return Target{}, fmt.Errorf("%s: the kernel does not know it: %w", path, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
		return Target{}, fmt.Errorf("%s: %w: it is a partition; a boot ROM reads the whole disk from its start: give /dev/%s", path, ErrNotDisk, filepath.Base(filepath.Dir(dir)))
	}
	text := func(elem ...string) string {
		b, err := os.ReadFile(filepath.Join(append([]string{dir}, elem...)...))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	sectors, err := strconv.ParseInt(text("size"), 10, 64)
	if err != nil {
		return Target{}, fmt.Errorf("%s: its size: %w", path, err)
	}
	t := Target{Path: path, Device: true, Size: sectors * 512}
	t.Name = strings.TrimSpace(text("device", "vendor") + " " + text("device", "model") + text("device", "name"))
	// A card in a slot of its own says that it is a card instead.
	t.Removable = text("removable") == "1" || text("device", "type") == "SD"
	return t, s.findUses(&t, dir, number)
}

// findUses looks for mounts, swap and other devices on top of a disk or its partitions.
func (s System) findUses(t *Target, dir, number string) error {
	names := map[string]string{number: filepath.Base(dir)} // by device number
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if dev, err := os.ReadFile(filepath.Join(dir, e.Name(), "dev")); err == nil {
			names[strings.TrimSpace(string(dev))] = e.Name()
		}
	}
	isOurs := func(device string) bool {
		for _, name := range names {
			if device == "/dev/"+name {
				return true
			}
		}
		return false
	}
	mounts, err := os.ReadFile(s.proc("self", "mountinfo"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		// proc_pid_mountinfo(5): id parent major:minor root point options ... - type source
		f := strings.Fields(line)
		if len(f) < 6 {
			continue
		}
		name, ours := names[f[2]]
		if i := slices.Index(f, "-"); i >= 0 && i+2 < len(f) && isOurs(f[i+2]) {
			name, ours = filepath.Base(f[i+2]), true // a file system with numbers of its own
		}
		if !ours {
			continue
		}
		point := unescape(f[4])
		t.Uses = append(t.Uses, fmt.Sprintf("/dev/%s on %s", name, point))
		if point == "/" || point == "/boot" || point == "/usr" || strings.HasPrefix(point, "/boot/") {
			t.System = true
		}
	}
	if swaps, err := os.ReadFile(s.proc("swaps")); err == nil {
		for line := range strings.Lines(string(swaps)) {
			if f := strings.Fields(line); len(f) > 0 && isOurs(f[0]) {
				t.Uses = append(t.Uses, f[0]+" as swap")
				t.System = true
			}
		}
	}
	for _, name := range names {
		where := filepath.Join(dir, name, "holders")
		if name == filepath.Base(dir) {
			where = filepath.Join(dir, "holders")
		}
		holders, err := os.ReadDir(where)
		if err != nil {
			continue
		}
		for _, h := range holders {
			t.Uses = append(t.Uses, fmt.Sprintf("/dev/%s by %s", name, h.Name()))
		}
	}
	slices.Sort(t.Uses)
	return nil
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(v))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// openDisk opens a disk for writing. Unless forced, the kernel refuses one that is in use,
// also when that began after Inspect has looked.
func openDisk(path string, force bool) (*os.File, error) {
	flags := os.O_RDWR
	if !force {
		flags |= unix.O_EXCL
	}
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, unix.EBUSY) {
		err = fmt.Errorf("%s: %w: it is in use: %w", path, ErrInUse, err)
	}
	return f, err
}

// forget has the kernel read a file or disk from where it is stored, not from memory.
// What it can't do there, such as for a file in memory, is not worth an error.
func forget(f *os.File, device bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	conn.Control(func(fd uintptr) {
		unix.Fadvise(int(fd), 0, 0, unix.FADV_DONTNEED)
		if device {
			unix.IoctlSetInt(int(fd), unix.BLKFLSBUF, 0)
		}
	})
}

// reread has the kernel look at a disk's new partition table. It may refuse.
func reread(f *os.File) {
	if conn, err := f.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { unix.IoctlSetInt(int(fd), unix.BLKRRPART, 0) })
	}
}
