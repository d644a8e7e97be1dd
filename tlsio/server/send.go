package server

import (
	"errors"
	"io"
	"io/fs"
	"time"
)

// chunk is how much is given to the network at once: a full TLS record.
const chunk = 16 << 10

// Send sends p and returns how many of its bytes were taken.
//
// With Timeout 0 it never waits. It takes what the send queue has room for; if
// that isn't everything, the error is ErrWouldBlock. If nothing was taken,
// ReadyToSend follows when there is room. If a part was taken, ReadyToSend does not
// follow: send the rest, until nothing is taken.
//
// With a Timeout it returns when all of p was given to the network, or with
// ErrTimeout when nothing was sent or received for so long; what was taken then is still
// sent when it can be. Sends of several goroutines don't mix.
//
// p may be used again once Send has returned.
func (c *Connection) Send(p []byte) (int, error) { return c.send("Send", p) }

// SendText sends text in Config.CodePage; see Send. Text that it can't express is an
// error with ErrCodePage in it, and nothing is sent.
func (c *Connection) SendText(text string) (int, error) { return c.sendText("SendText", text) }

// SendLine sends text with CR LF behind it; see SendText. The number of bytes counts
// CR LF too.
func (c *Connection) SendLine(text string) (int, error) {
	return c.sendText("SendLine", text+"\r\n")
}

func (c *Connection) sendText(op, text string) (int, error) {
	if err := c.made(op); err != nil {
		return 0, err
	}
	p, err := c.config.CodePage.Encode(text)
	if err != nil {
		return 0, &Error{op, c.id, CodeInvalidArgument, err}
	}
	return c.send(op, p)
}

func (c *Connection) send(op string, p []byte) (int, error) {
	if err := c.sendable(op); err != nil {
		return 0, err
	}
	if c.timeout > 0 {
		defer c.mu.Unlock()
		c.sent = 0
		if err := c.takeSending(op); err != nil {
			return 0, err
		}
		defer c.giveSending()
		n, err := c.put(op, p)
		if err == nil {
			err = c.drained(op)
		}
		return n, err
	}
	defer c.mu.Unlock()
	c.sent = 0
	if len(p) == 0 {
		return 0, nil
	}
	if !c.sending && !c.wantTLS {
		c.sent = c.queue.write(p)
		c.queued += uint64(c.sent)
		c.write()
	}
	if c.sent == len(p) {
		return c.sent, nil
	}
	if c.sent == 0 {
		c.ready, c.wantReady = false, true
	}
	return c.sent, &Error{Op: op, ID: c.id, Code: CodeWouldBlock}
}

// sendable locks c, or returns why nothing can be sent.
func (c *Connection) sendable(op string) error {
	if err := c.enter(op); err != nil {
		return err
	}
	if err := c.usable(op); err != nil {
		c.mu.Unlock()
		return err
	}
	return nil
}

// usable returns why nothing can be sent. c.mu is held.
func (c *Connection) usable(op string) error {
	switch {
	case c.phase == phaseOpening:
		return &Error{Op: op, ID: c.id, Code: CodeNotConnected}
	case c.phase != phaseOpen && c.reason != nil:
		return &Error{op, c.id, CodeOf(c.reason), c.reason}
	case c.phase != phaseOpen:
		return &Error{Op: op, ID: c.id, Code: CodeShutdown}
	}
	return nil
}

// takeSending waits until no other send waits. It doesn't wait for StartTLS's
// handshake, which may in turn wait for the event in which this is called. c.mu is
// held.
func (c *Connection) takeSending(op string) error {
	for c.sending {
		if err := c.pause(op); err != nil {
			return err
		}
	}
	if c.wantTLS {
		c.ready, c.wantReady = false, true
		return &Error{Op: op, ID: c.id, Code: CodeWouldBlock}
	}
	c.sending = true
	return nil
}

// giveSending lets others send. c.mu is held.
func (c *Connection) giveSending() {
	c.sending = false
	if !c.writing {
		c.queue.release()
	}
	c.wake()
	c.tellReady()
}

// put puts all of p into the queue, waiting for room. c.mu is held.
func (c *Connection) put(op string, p []byte) (n int, err error) {
	for {
		m := c.queue.write(p[n:])
		c.queued += uint64(m)
		n += m
		c.write()
		if n == len(p) {
			return n, nil
		}
		if err := c.pause(op); err != nil {
			return n, err
		}
	}
}

// drained waits until all that is queued was given to the network. c.mu is held.
func (c *Connection) drained(op string) error {
	for target := c.queued; c.flushed < target; {
		if err := c.pause(op); err != nil {
			return err
		}
	}
	return nil
}

// pause waits for a change. It fails if bytes don't move for c.timeout (0 for any
// time), on Interrupt, and when the connection ends. c.mu is held, but not
// while it waits.
func (c *Connection) pause(op string) error {
	moved, interrupts := c.flushed+c.received, c.interrupts
	var expired <-chan time.Time
	if c.timeout > 0 {
		t := time.NewTimer(c.timeout)
		defer t.Stop()
		expired = t.C
	}
	for {
		w := c.wait()
		c.mu.Unlock()
		timedOut := false
		select {
		case <-w:
		case <-expired:
			timedOut = true
		}
		c.mu.Lock()
		switch err := c.usable(op); {
		case err != nil:
			return err
		case c.interrupts != interrupts:
			return &Error{Op: op, ID: c.id, Code: CodeInterrupted}
		case timedOut:
			return &Error{Op: op, ID: c.id, Code: CodeTimedOut}
		case c.flushed+c.received != moved, !c.sending:
			return nil
		}
	}
}

// Interrupt ends a send of this connection that waits (Send with a Timeout,
// SendFile) with ErrInterrupted. The connection lives on; what the send has put
// into the queue is still sent.
func (c *Connection) Interrupt() error {
	if err := c.enter("Interrupt"); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.interrupts++
	c.wake()
	return nil
}

// SendFile sends the contents of a file and returns how many bytes of it were taken. It
// waits until all was given to the network, also with Timeout 0 (then for
// any time), so it is best not called under Config.Post. Interrupt ends it. No
// other send gets in between.
func (c *Connection) SendFile(fsys fs.FS, name string) (int64, error) {
	const op = "SendFile"
	f, err := fsys.Open(name)
	if err != nil {
		return 0, newError(op, c.id, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return 0, newError(op, c.id, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")})
	}
	if err := c.sendable(op); err != nil {
		return 0, err
	}
	defer c.mu.Unlock()
	c.sent = 0
	if err := c.takeSending(op); err != nil {
		return 0, err
	}
	defer c.giveSending()
	interrupts := c.interrupts
	buf := make([]byte, chunk)
	var total int64
	for idle := 0; ; {
		n, err := c.readFile(f, buf)
		if idle++; n > 0 {
			idle = 0
		}
		if idle == mostIdle && err == nil {
			err = io.ErrNoProgress
		}
		if e := c.usable(op); e != nil {
			return total, e
		}
		if c.interrupts != interrupts {
			return total, &Error{Op: op, ID: c.id, Code: CodeInterrupted}
		}
		m, perr := c.put(op, buf[:n])
		total += int64(m)
		if perr != nil {
			return total, perr
		}
		if err == io.EOF {
			return total, c.drained(op)
		}
		if err != nil {
			return total, newError(op, c.id, err)
		}
	}
}

// mostIdle is how often in a row a file may give nothing, without an error.
const mostIdle = 100

// readFile reads without the lock, since that may be slow, and has it again even if f
// panics. c.mu is held.
func (c *Connection) readFile(f fs.File, buf []byte) (int, error) {
	c.mu.Unlock()
	defer c.mu.Lock()
	return f.Read(buf)
}

// sendWhole queues all of p, or nothing; it never waits.
func (c *Connection) sendWhole(op string, p []byte) error {
	if err := c.sendable(op); err != nil {
		return err
	}
	defer c.mu.Unlock()
	switch {
	case len(p) > c.queue.limit:
		return &Error{Op: op, ID: c.id, Code: CodeMessageTooLong}
	case c.sending || c.wantTLS || len(p) > c.queue.free():
		return &Error{Op: op, ID: c.id, Code: CodeWouldBlock}
	}
	c.queued += uint64(c.queue.write(p))
	c.write()
	return nil
}

// write has what is queued written by a goroutine that lives as long as there is
// something. c.mu is held.
func (c *Connection) write() {
	if c.writing || c.queue.n == 0 {
		return
	}
	c.writing = true
	c.server.spawn(c.writeLoop)
}

func (c *Connection) writeLoop() {
	// Received bytes are no sign that the client reads: a timer of its own.
	var stall *time.Timer
	c.mu.Lock()
	if d := c.config.StallTimeout; d > 0 {
		stall = time.AfterFunc(d, c.probe)
		c.stall, c.doubted = stall, false
	}
	for c.queue.n > 0 {
		p := c.queue.peek()
		p = p[:min(len(p), chunk)]
		conn := c.conn
		c.mu.Unlock()
		n, err := conn.Write(p)
		c.active.Store(c.server.now())
		if stall != nil {
			stall.Reset(c.config.StallTimeout)
		}
		c.mu.Lock()
		if c.queue.n > 0 { // finish clears it
			c.queue.drop(n)
		}
		c.flushed += uint64(n)
		c.wake()
		if err != nil {
			c.queue.clear()
			c.mu.Unlock()
			c.fail(newError("Write", c.id, err))
			c.mu.Lock()
			break
		}
		c.tellReady()
	}
	c.writing = false
	if stall != nil {
		stall.Stop()
		c.probed = c.probed && !c.unprobe()
	}
	if !c.sending {
		c.queue.release()
	}
	c.wake()
	c.mu.Unlock()
}

// probe is called when the network took no chunk for StallTimeout. A slow client may
// have taken some of one, which the write that waits with the rest can tell.
func (c *Connection) probe() {
	c.mu.Lock()
	if c.writing && c.phase == phaseOpen && !c.probed && c.transport.Conn.SetWriteDeadline(time.Unix(1, 0)) == nil {
		c.probed = true
		c.stall.Reset(c.config.StallTimeout) // in case that nothing answers
		c.mu.Unlock()
		return
	}
	writing := c.writing
	c.mu.Unlock()
	if writing {
		c.stalled()
	}
}

func (c *Connection) stalled() {
	c.breakOff(&Error{"Write", c.id, CodeTimedOut, ErrStalled})
}

// unprobe takes probe's deadline back, and reports whether that was its to take. c.mu is
// held.
func (c *Connection) unprobe() bool {
	if c.phase != phaseOpen {
		return false // the deadline is that of closing
	}
	c.transport.Conn.SetWriteDeadline(time.Time{})
	return true
}

// goOn is asked by a write that has met a deadline after n bytes: if that was probe's,
// whether to write on.
func (c *Connection) goOn(n int) bool {
	c.mu.Lock()
	if !c.probed || !c.unprobe() {
		c.mu.Unlock()
		return false
	}
	c.probed = false
	if n == 0 && c.doubted {
		c.mu.Unlock()
		c.stalled()
		return false
	}
	patience := c.config.StallTimeout
	if c.doubted = n == 0; c.doubted {
		// The deadline may have come before the write, and a network that has
		// room again may not have said so yet.
		patience = min(patience, doubtTime)
	} else {
		c.active.Store(c.server.now())
	}
	c.stall.Reset(patience)
	c.mu.Unlock()
	return true
}

// doubtTime is how long a client that seems to be stuck is given to show that it isn't.
const doubtTime = time.Second

// tellReady has ReadyToSend called if that is owed and half of the queue is free.
// c.mu is held.
func (c *Connection) tellReady() {
	if !c.wantReady || c.sending || c.wantTLS || c.phase != phaseOpen || c.queue.free() < c.queue.limit/2 {
		return
	}
	c.ready, c.wantReady = true, false
	if h := c.server.handler.ReadyToSend; h != nil {
		c.later("ReadyToSend", func() { h(c) })
	}
}

// flush waits until everything taken was given to the network, and returns false if
// it stops moving or the connection is broken off.
func (c *Connection) flush() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := time.NewTimer(c.config.LingerTimeout)
	defer t.Stop()
	for c.queue.n > 0 || c.writing {
		moved := c.flushed
		w := c.wait()
		c.mu.Unlock()
		stuck := false
		select {
		case <-w:
		case <-t.C:
			stuck = true
		case <-c.ctx.Done():
			stuck = true
		}
		c.mu.Lock()
		if stuck {
			return false
		}
		if c.flushed != moved {
			t.Reset(c.config.LingerTimeout)
		}
	}
	return c.flushed == c.queued
}
