//go:build unix

package server

import (
	"net"
	"os"
	"syscall"
)

// setSocketBacklog sets the backlog of an operating system's listener: listen on
// a socket that listens already changes just that. ok tells whether ln is one.
func setSocketBacklog(ln net.Listener, n int) (ok bool, err error) {
	sc, ok := ln.(syscall.Conn)
	if !ok {
		return false, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true, err
	}
	if cerr := raw.Control(func(fd uintptr) { err = os.NewSyscallError("listen", syscall.Listen(int(fd), n)) }); cerr != nil {
		return true, cerr
	}
	return true, err
}
