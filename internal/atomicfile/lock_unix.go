//go:build unix

package atomicfile

import (
	"os"
	"syscall"
)

// lock marks a file or folder as one that has an owner, until it is closed or the process
// ends. That it can't be had, on a file system without locks, does no harm: such a file
// is never taken for abandoned.
func lock(f *os.File) { syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// abandoned reports whether nobody owns a file or folder. A new one has no owner for an
// instant; one that is empty is therefore left alone.
func abandoned(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	empty := info.Size() == 0
	if info.IsDir() {
		names, _ := f.Readdirnames(1)
		empty = len(names) == 0
	}
	return !empty && syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
