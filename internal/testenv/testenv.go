// Package testenv lets tests say what they need of the system they run on. The same
// tests run hosted and in images, where there are no files and no processes.
package testenv

import (
	"os/exec"
	"testing"

	"ingot.dev/board"
)

// NeedFiles skips the test where there is no file system.
func NeedFiles(t testing.TB) {
	t.Helper()
	if board.Name != "" {
		t.Skip("needs files; a board has none")
	}
}

// NeedProcess skips the test where no other programs can be started.
func NeedProcess(t testing.TB) {
	t.Helper()
	if board.Name != "" {
		t.Skip("needs to start a program; a board can't")
	}
}

// NeedHost skips the test where there are no sockets of an operating system.
func NeedHost(t testing.TB) {
	t.Helper()
	if board.Name != "" {
		t.Skip("needs an operating system's sockets; a board has none")
	}
}

// Program returns the path of a program, which Debian has in package pkg, or skips
// the test.
func Program(t testing.TB, name, pkg string) string {
	t.Helper()
	NeedProcess(t)
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed; apt-get install %s", name, pkg)
	}
	return path
}
