//go:build unix

package qemu

import (
	"net"
	"os"
	"syscall"
)

// killGroup kills QEMU and whatever it may have started.
func killGroup(p *os.Process) {
	// A process that has been waited for has no group; its number may
	// belong to someone else by now. Process knows, and refuses.
	if p.Signal(syscall.Signal(0)) == nil {
		syscall.Kill(-p.Pid, syscall.SIGKILL)
	}
}

// socketPair returns the two ends of a stream socket: a connection for us and
// a file for a child process to inherit.
func socketPair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "qmp"), os.NewFile(uintptr(fds[1]), "qmp")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}
