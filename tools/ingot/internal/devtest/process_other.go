//go:build unix && !linux

package devtest

import (
	"os/exec"
	"syscall"
)

// isolate puts the go command in a process group of its own, with what it starts, so
// that all of it can be interrupted together.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
