package uio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// waiter is the state of a wait for the interrupt. The functions that Go's
// poller calls are made once, so that waiting allocates nothing.
type waiter struct {
	count  uint32 // what the kernel says: interrupts since boot
	unmask bool   // the next call is to unmask first
	err    error

	step func(fd uintptr) bool
}

func (w *waiter) init() { w.step = w.try }

// try is called by the poller: at once, and whenever the file becomes readable.
// It returns false to go on waiting.
//
// The system calls are raw ones. They don't block, as the file isn't blocking,
// and the usual ones would tell the scheduler that they might: then the
// goroutine loses its place to another thread, which cost more than the wait.
func (w *waiter) try(fd uintptr) bool {
	if w.unmask {
		// An interrupt from now on makes the file readable anew, and the
		// poller remembers that: no need to look right now.
		w.unmask = false
		w.err = control(fd, 1)
		return w.err != nil
	}
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&w.count)), unsafe.Sizeof(w.count))
		switch {
		case errno == syscall.EAGAIN:
			return false
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			w.err = os.NewSyscallError("read", errno)
		case n != unsafe.Sizeof(w.count):
			w.err = io.ErrUnexpectedEOF
		}
		return true
	}
}

// control masks (0) or unmasks (1) the interrupt.
func control(fd uintptr, v uint32) error {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&v)), unsafe.Sizeof(v))
		switch {
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			return os.NewSyscallError("write", errno)
		case n != unsafe.Sizeof(v):
			return io.ErrShortWrite
		}
		return nil
	}
}

// Wait parks the goroutine until there was an interrupt since the last Wait.
// The interrupt is masked afterwards. After Close the error is os.ErrClosed.
func (d *Device) Wait() error { return d.wait(false) }

// UnmaskWait is Unmask followed by Wait, for one system call less. An interrupt
// that came before it, and after the last wait, may be forgotten: it is for
// level-triggered interrupts, which come again at once in that case.
func (d *Device) UnmaskWait() error { return d.wait(true) }

// Wake makes the wait that is under way, or else the next one, return without
// an interrupt and without an error.
func (d *Device) Wake() {
	d.file.SetReadDeadline(time.Unix(1, 0)) // fails only on a closed file, where nobody waits
}

func (d *Device) wait(unmask bool) error {
	d.waiter.unmask, d.waiter.err = unmask, nil
	err := d.conn.Read(d.waiter.step)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = d.file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return d.failed("wait for the interrupt", err)
	}
	if d.waiter.err != nil {
		return d.failed("wait for the interrupt", d.waiter.err)
	}
	return nil
}

// Unmask lets the next interrupt through.
func (d *Device) Unmask() error { return d.control("unmask", 1) }

// Mask holds interrupts back.
func (d *Device) Mask() error { return d.control("mask", 0) }

func (d *Device) control(what string, v uint32) error {
	var failed error
	if err := d.conn.Control(func(fd uintptr) { failed = control(fd, v) }); err != nil {
		failed = err
	}
	if failed != nil {
		return d.failed(what+" the interrupt", failed)
	}
	return nil
}

// failed gives an error its context. The poller's own error for a closed file
// doesn't match os.ErrClosed.
func (d *Device) failed(what string, err error) error {
	if d.closed.Load() {
		err = os.ErrClosed
	}
	return fmt.Errorf("uio: %s: %s: %w", d.name, what, err)
}
