// Package qemu starts images in the QEMU emulator and talks to them: their
// console, their network ports, their exit status.
//
//	m, err := qemu.Start(ctx, qemu.Config{
//		Image:    "firmware.elf",
//		Forwards: []qemu.Forward{{GuestPort: 8443}},
//	})
//	if err != nil { ... }
//	defer m.Stop()
//	if _, err := m.WaitConsole(ctx, regexp.MustCompile(`listening on`)); err != nil { ... }
//	conn, err := m.DialForward(ctx, 8443)
//
// # What a machine gets
//
// Start writes the boot parameters (package kernel/bootparam): a seed fresh
// from the host's random numbers, the host's time, and the environment and
// arguments of the Config. A machine that resets does not start over: QEMU
// would load the same seed again, and a guest's random numbers must never
// repeat. It ends instead, and Wait returns ErrReset.
//
// The guest's exit status arrives through semihosting: Wait returns what the
// program passed to os.Exit, or 2 after an uncaught panic, as on any system.
//
// # Debugging
//
// With Config.Debugger the machine stands still until a debugger has attached to
// Machine.DebuggerAddr and lets it go on.
//
// # What a machine leaves behind
//
// Nothing. QEMU is in a process group of its own, which is killed when the
// context ends, when Stop is called, and, on Linux, when this process dies in
// whatever way. The temporary files are removed before the guest's first
// instruction.
//
// # Two traps of user-mode networking
//
// Forwarded ports are bound to 127.0.0.1. QEMU accepts connections on them
// whether or not the guest listens, and resets them when the guest does: only
// a completed exchange shows that something answers. And it listens with a
// backlog of 1, so many simultaneous connects stall for a second or more on
// the host's side, which says nothing about the guest.
package qemu
