package qemu

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// isolate puts QEMU in a process group of its own, so that the terminal's
// Ctrl-C reaches us and not it, and has the kernel kill it when we die.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// CPUTime returns the processor time that QEMU has used, in user and system mode
// together. The error matches os.ErrProcessDone when it is gone.
func (m *Machine) CPUTime() (time.Duration, error) {
	d, err := processTime(m.PID())
	if err != nil {
		return 0, fmt.Errorf("qemu: %w", err)
	}
	return d, nil
}

// processTime reads a process's clock, as clock_getcpuclockid(3) names it.
func processTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: what its threads have run
	var t unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|scheduled), &t)
	if err == unix.EINVAL {
		return 0, os.ErrProcessDone
	} else if err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(t.Nano()), nil
}
