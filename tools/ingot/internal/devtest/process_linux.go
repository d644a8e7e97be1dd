package devtest

import (
	"os/exec"
	"syscall"
)

// isolate puts the go command in a process group of its own, with what it starts, so
// that all of it can be interrupted together, and has the kernel kill it when we die.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
