//go:build unix

package devtest

import (
	"os"
	"syscall"
)

// interruptGroup interrupts the go command and what it runs, as a terminal's Ctrl-C
// would.
func interruptGroup(p *os.Process) error {
	if err := p.Signal(syscall.Signal(0)); err != nil {
		return err // it has been waited for: its number may be another's
	}
	return syscall.Kill(-p.Pid, syscall.SIGINT)
}
