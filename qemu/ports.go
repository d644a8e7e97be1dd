package qemu

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// choosePorts returns forwards with a free host port in place of each zero.
//
// A port is found by binding it and letting it go, so another process may take
// it before QEMU does. Start tries again then; see portTaken.
func choosePorts(forwards []Forward) ([]Forward, error) {
	forwards = slices.Clone(forwards)
	for i, f := range forwards {
		if f.GuestPort < 1 || f.GuestPort > 65535 || f.HostPort < 0 || f.HostPort > 65535 {
			return nil, fmt.Errorf("qemu: forward %+v: a port is outside 1 to 65535", f)
		}
		if f.HostPort != 0 {
			continue
		}
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("qemu: no free port for the guest's port %d: %w", f.GuestPort, err)
		}
		// Released only at the end, so that no port is chosen twice.
		defer l.Close()
		forwards[i].HostPort = l.Addr().(*net.TCPAddr).Port
	}
	return forwards, nil
}

// portTaken reports whether QEMU's error output says that a forward could not
// be bound, and which one.
func portTaken(stderr string, forwards []Forward) (Forward, bool) {
	for _, f := range forwards {
		if strings.Contains(stderr, "Could not set up host forwarding rule") &&
			strings.Contains(stderr, fmt.Sprintf("127.0.0.1:%d-", f.HostPort)) {
			return f, true
		}
	}
	return Forward{}, false
}

// chooseDebuggerPort gives cfg a free port for the debugger, if it wants one and names
// none. It is not one of forwards.
func chooseDebuggerPort(cfg *Config, forwards []Forward) error {
	if !cfg.Debugger {
		return nil
	}
	if cfg.DebuggerPort < 0 || cfg.DebuggerPort > 65535 {
		return fmt.Errorf("qemu: debugger's port %d is outside 1 to 65535", cfg.DebuggerPort)
	}
	for cfg.DebuggerPort == 0 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("qemu: no free port for the debugger: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if !slices.ContainsFunc(forwards, func(f Forward) bool { return f.HostPort == port }) {
			cfg.DebuggerPort = port
		}
	}
	return nil
}

// debuggerPortTaken reports whether QEMU's error output says that the debugger's port
// could not be bound.
func debuggerPortTaken(stderr string, port int) bool {
	return strings.Contains(stderr, fmt.Sprintf("-gdb tcp:127.0.0.1:%d: Failed", port))
}
