//go:build unix && !linux

package qemu

import (
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// isolate puts QEMU in a process group of its own. Without Linux's
// PR_SET_PDEATHSIG it outlives a parent that is killed with SIGKILL.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// CPUTime is available on Linux only.
func (m *Machine) CPUTime() (time.Duration, error) {
	return 0, errors.ErrUnsupported
}
