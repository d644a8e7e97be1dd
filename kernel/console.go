package kernel

import "unsafe"

// The console: output goes to the UART as it comes; input waits in a small ring,
// where it is lost when nobody reads it.
type console struct {
	in   [256]byte
	head uint32
	n    uint32
}

// received takes a byte from the UART's interrupt.
func (k *Kernel) received(b byte) {
	c := &k.console
	if c.n < uint32(len(c.in)) {
		c.in[(c.head+c.n)&255] = b
		c.n++
	}
	for fd := range int16(3) {
		if k.files[fd].kind == fileConsole {
			k.notify(fd, true)
		}
	}
}

func (k *Kernel) readConsole(fd, buf, n uint32) int32 {
	c := &k.console
	if n == 0 {
		return 0
	}
	if c.n == 0 {
		return k.waitForFile(fd)
	}
	done := uint32(0)
	for done < n && c.n > 0 {
		run := min(n-done, c.n, 256-c.head)
		if !k.copyOut(buf+done, unsafe.Pointer(&c.in[c.head&255]), run) {
			if done == 0 {
				return EFAULT
			}
			break
		}
		c.head = (c.head + run) & 255
		c.n -= run
		done += run
	}
	return int32(done)
}

// maxConsoleWrite bounds the time that the kernel spends on a write at once: a
// UART at 115,200 baud takes 22 ms for so many bytes.
const maxConsoleWrite = 256

// writeConsole goes on with a write of n bytes of which some are done already.
// It writes all of them, since Go's runtime prints a string with one write and
// doesn't look at the result. Longer ones are written in pieces, between which
// the thread goes back to its system call, so that interrupts are answered and
// other threads have their turn.
func (k *Kernel) writeConsole(buf, n, done uint32) int32 {
	t := &k.threads[k.cur]
	end := done + min(n-done, maxConsoleWrite)
	for i := done; i < end; i++ {
		pa, ok := k.translate(buf+i, false)
		if !ok {
			if i > 0 {
				return int32(i)
			}
			return EFAULT
		}
		b := *(*byte)(k.ptr(pa))
		if b == '\n' {
			k.putByte('\r')
		}
		k.putByte(b)
	}
	if end < n {
		t.written = end
		t.PC -= syscallSize
		return int32(t.R[0]) // its first argument, as it was
	}
	return int32(n)
}
