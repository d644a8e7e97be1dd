//go:build unix

package atomicfile

import (
	"os"
	"syscall"
)

// own marks a file or folder as one that has an owner, until it is closed or the process
// ends. It reports false if it was taken for abandoned first, and is gone. On a file system
// without locks nothing is taken for abandoned.
func own(f *os.File) bool {
	syscall.Flock(int(f.Fd()), syscall.LOCK_EX) // waits while somebody removes it
	its, err := f.Stat()
	there, lerr := os.Lstat(f.Name())
	return err == nil && lerr == nil && os.SameFile(its, there)
}

// abandoned reports whether nobody owns a file or folder, and keeps others from owning it
// until it is closed.
func abandoned(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
