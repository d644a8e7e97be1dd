package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
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

// FreePort returns a port of 127.0.0.1 for a program that must be told one. It is below
// those that systems pick themselves (32768 and up on Linux, 49152 elsewhere), so that
// nothing that listens at port 0 or connects gets it before the program does.
func FreePort() (int, error) {
	var errs []error
	for range 20 {
		port := 10000 + rand.IntN(20000)
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
		errs = append(errs, err)
	}
	return 0, errors.Join(errs...)
}
