package server

import (
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"ingot.dev/tlsio"
)

// serve is the connection's goroutine, from accept to the end: it shakes hands,
// reads, has the events called, and closes. That is so too if an event ends the
// goroutine: what has to be done afterwards is deferred.
func (c *Connection) serve(implicit bool) {
	var err error
	defer func() { c.finish(err) }()
	err = c.run(implicit)
}

// errStartTLS ends the reading of plain text.
var errStartTLS = errors.New("server: StartTLS was called")

func (c *Connection) run(implicit bool) error {
	secure := implicit
	for {
		if secure {
			if err := c.shake(); err != nil {
				return err
			}
		}
		if !c.open() {
			return nil
		}
		err := c.receive()
		if err != errStartTLS {
			return err
		}
		secure = true
	}
}

// shake is handshake, and tells of one that came to nothing.
func (c *Connection) shake() error {
	err := error(errClosing) // unless handshake returns
	defer func() {
		if err != nil {
			c.handshakeFailed(err)
		}
	}()
	err = c.handshake()
	return err
}

// open enters the phase between Connected and the end, again after StartTLS, and
// reports whether it is one.
func (c *Connection) open() bool {
	c.mu.Lock()
	if c.phase > phaseOpen {
		c.mu.Unlock()
		return false
	}
	c.phase, c.ready = phaseOpen, true
	c.wantTLS, c.wantReady = false, false
	c.active.Store(c.server.now())
	c.armIdle()
	c.wake()
	c.mu.Unlock()
	h := &c.server.handler
	connected := func() {
		c.mu.Lock()
		c.connected = true
		c.mu.Unlock()
	}
	if h.Connected == nil {
		connected()
	} else if !c.call("Connected", func() { defer connected(); h.Connected(c, nil) }) {
		return false // then there is no Disconnected either, unless it was connected before
	}
	if h.ReadyToSend != nil {
		c.call("ReadyToSend", func() { h.ReadyToSend(c) })
	}
	return true
}

// receive reads until the end of data (nil), an error, StartTLS or Disconnect. While
// nothing arrives it holds one byte (TLS) or one small array, not a buffer.
func (c *Connection) receive() error {
	if secured := c.TLS(); secured != nil {
		for {
			_, err := secured.WriteTo(feeder{c})
			if err = c.endOf(secured, err); err == errCutAgain {
				err = c.feed(nil)
				if err == nil {
					continue
				}
			}
			return err
		}
	}
	small := make([]byte, 512)
	var large []byte
	buf := small
	for {
		n, err := c.transport.Read(buf)
		if n > 0 {
			if err := c.feed(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			woken := c.woken()
			if woken == errCutAgain {
				if woken = c.feed(nil); woken == nil {
					continue
				}
			}
			if woken != nil {
				return woken
			}
			return newError("Read", c.id, err)
		}
		if n < len(small) {
			buf, large = small, nil
		} else {
			if large == nil {
				large = make([]byte, 16<<10)
			}
			buf = large
		}
	}
}

// endOf says what the end of a TLS connection's data means.
func (c *Connection) endOf(conn *tlsio.Conn, err error) error {
	if err == nil {
		c.mu.Lock()
		cut := c.framer.Buffered() > 0 && !conn.CloseNotifyReceived()
		c.mu.Unlock()
		if cut {
			return &Error{"Read", c.id, CodeReset, ErrCutShort}
		}
		return nil
	}
	if woken := c.woken(); woken != nil {
		return woken
	}
	return newError("Read", c.id, err)
}

// woken returns why a read was woken, or nil if it failed by itself.
func (c *Connection) woken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase != phaseOpen:
		return errClosing
	case c.wantTLS:
		return errStartTLS
	case c.recut:
		c.recut = false
		c.transport.Conn.SetReadDeadline(time.Time{})
		return errCutAgain
	}
	return nil
}

// errCutAgain ends a read after cutAgain.
var errCutAgain = errors.New("server: the settings for cutting were changed")

// cutAgain has the reading goroutine cut what has arrived by new settings, if it
// waits for more. c.mu is held.
func (c *Connection) cutAgain() {
	if c.phase == phaseOpen && !c.wantTLS && !c.feeding && c.framer.Buffered() > 0 {
		c.recut = true
		c.wakeReader()
	}
}

// feeder is where tlsio's Conn writes what it has read.
type feeder struct{ c *Connection }

func (f feeder) Write(p []byte) (int, error) {
	if err := f.c.feed(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// errClosing ends the reading after Disconnect.
var errClosing = errors.New("server: Disconnect was called")

// feed cuts p into pieces and has DataIn called with each. It returns an error when
// there is to be no more reading.
func (c *Connection) feed(p []byte) error {
	if len(p) > 0 {
		c.active.Store(c.server.now())
	}
	c.mu.Lock()
	c.received += uint64(len(p))
	c.feeding = true
	c.framer.Feed(p)
	if c.sending {
		c.wake() // progress, for those who send with a Timeout
	}
	for {
		for c.paused && c.phase == phaseOpen && !c.wantTLS {
			w := c.wait()
			c.mu.Unlock()
			<-w
			c.mu.Lock()
		}
		if c.phase != phaseOpen || c.wantTLS {
			c.feeding = false
			tls := c.phase == phaseOpen
			c.mu.Unlock()
			if tls {
				return errStartTLS
			}
			return errClosing
		}
		piece, eol, ok := c.framer.Next()
		c.feeding = ok
		c.mu.Unlock()
		if !ok {
			return nil
		}
		c.dataIn(piece, eol)
		c.mu.Lock()
	}
}

// rest has DataIn called with what the end of data has left unfinished, once data
// isn't paused.
func (c *Connection) rest() {
	c.mu.Lock()
	left := c.framer.Buffered() > 0
	c.mu.Unlock()
	if !left || c.feed(nil) != nil {
		return
	}
	c.mu.Lock()
	rest, _ := c.framer.Rest()
	open := c.phase == phaseOpen
	c.mu.Unlock()
	if open && len(rest) > 0 {
		c.dataIn(rest, false)
	}
}

// wakeReader ends the reading goroutine's wait, so that it looks at the phase.
func (c *Connection) wakeReader() { c.transport.Conn.SetReadDeadline(time.Unix(1, 0)) }

// fail ends the connection for a reason, if nothing has ended it before. What is
// queued is lost.
func (c *Connection) fail(reason error) {
	c.mu.Lock()
	if c.phase >= phaseClosing {
		c.mu.Unlock()
		return
	}
	handshake := c.phase == phaseOpening || c.wantTLS
	c.phase, c.reason = phaseClosing, reason
	if !handshake {
		c.stuck = time.AfterFunc(c.config.LingerTimeout, c.unstick)
	}
	c.wake()
	c.wakeReader() // under the lock: it must not undo the deadline of discard
	c.mu.Unlock()
	if handshake {
		c.cancel()
	}
}

// unstick frees a reading goroutine that doesn't come back though its read was
// woken: crypto/tls answers some records (bad ones with an alert, KeyUpdate) from
// within Read, which waits as long as a client that doesn't read wants it to.
func (c *Connection) unstick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stuck == nil: // it has come back
	case c.feeding: // an event takes its time
		c.stuck.Reset(c.config.LingerTimeout)
	default:
		c.transport.Conn.SetWriteDeadline(time.Unix(1, 0))
	}
}

// breakOff ends the connection at once, whatever it is doing.
func (c *Connection) breakOff(reason error) {
	c.fail(reason)
	c.cancel()
	reset(c.transport.Conn)
}

// Disconnect ends the connection: DataIn is called no more, nothing more is taken
// to be sent, and the connection is closed once everything taken was sent (or
// at once, with Config.NoLinger). It doesn't wait for that; Disconnected
// tells. On a connection that is ending already it does nothing.
func (c *Connection) Disconnect() error {
	if err := c.enter("Disconnect"); err != nil {
		return err
	}
	c.mu.Unlock()
	c.fail(nil)
	return nil
}

// finish closes the connection and tells of it. err is why reading has ended.
func (c *Connection) finish(err error) {
	c.mu.Lock()
	theirs := c.phase == phaseOpen && err == nil // the client has ended its data
	c.mu.Unlock()
	defer c.bury(err, theirs)
	if theirs || errors.Is(err, ErrCutShort) {
		c.rest()
	}
}

// bury is the rest of finish, when DataIn has got all.
func (c *Connection) bury(err error, theirs bool) {
	if err == errClosing || err == errStartTLS {
		err = nil
	}
	c.fail(err)
	c.mu.Lock()
	if c.stuck != nil {
		c.stuck.Stop()
		c.stuck = nil
	}
	reason, connected, conn := c.reason, c.connected, c.conn
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()

	soft := connected && reason == nil && !c.config.NoLinger && c.flush()
	if soft && !theirs {
		// The client first sees our end; closing with bytes unread would
		// reset the connection and lose what is still on its way to the client.
		soft = closeWrite(conn) == nil
	}
	if !soft || theirs {
		c.close(conn, soft)
	}
	c.mu.Lock()
	c.queue.clear()
	c.wake()
	c.mu.Unlock()
	defer c.cancel()
	defer func() {
		if soft && !theirs {
			c.discard()
			c.close(conn, true)
		}
	}()
	c.last(connected, newError("Disconnected", c.id, reason))
}

// last has Disconnected called, and takes the connection out of the registry.
func (c *Connection) last(connected bool, reason error) {
	h := c.server.handler.Disconnected
	end := func() {
		defer func() {
			c.mu.Lock()
			c.phase = phaseOver
			c.framer.Rest()
			c.wake()
			c.mu.Unlock()
			c.server.unregister(c)
		}()
		if h != nil && connected {
			c.guard("Disconnected", func() { h(c, reason) })
		}
	}
	if c.post != nil {
		c.post(end) // without waiting: the program may have stopped its loop
		return
	}
	c.turns.begin()
	defer c.turns.end()
	end()
}

func closeWrite(conn net.Conn) error {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		conn.SetWriteDeadline(time.Now().Add(discardTime))
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// close closes the transport, with close_notify if the end is a soft one.
func (c *Connection) close(conn net.Conn, soft bool) {
	if soft && conn != nil {
		conn.SetWriteDeadline(time.Now().Add(discardTime))
		conn.Close()
		return
	}
	reset(c.transport.Conn)
}

// discardTime is how long a closed connection waits for the client's end.
const discardTime = time.Second

// discard reads what the client still sends, until its end or a little later.
func (c *Connection) discard() {
	c.transport.Conn.SetReadDeadline(time.Now().Add(discardTime))
	buf := make([]byte, 512)
	for {
		if _, err := c.transport.Conn.Read(buf); err != nil {
			return
		}
	}
}

// IdleTimeout returns how long the connection may be idle; 0 means forever.
func (c *Connection) IdleTimeout() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle
}

// SetIdleTimeout changes it; the time since bytes last moved counts.
func (c *Connection) SetIdleTimeout(d time.Duration) error {
	var errs optionErrors
	errs.positive("IdleTimeout", d)
	if err := errs.err("SetIdleTimeout"); err != nil {
		return err
	}
	if err := c.enter("SetIdleTimeout"); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.idle = d
	if c.phase == phaseOpen {
		c.armIdle()
	}
	return nil
}

// armIdle starts the clock of idle. c.mu is held.
func (c *Connection) armIdle() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if c.idle > 0 {
		left := c.idle - time.Duration(c.server.now()-c.active.Load())
		c.timer = time.AfterFunc(max(left, 0), c.checkIdle)
	}
}

// checkIdle looks whether the connection was idle for long enough, and if not, when
// to look again.
func (c *Connection) checkIdle() {
	c.mu.Lock()
	if c.phase != phaseOpen || c.idle == 0 || c.wantTLS {
		c.mu.Unlock()
		return
	}
	if time.Duration(c.server.now()-c.active.Load()) < c.idle {
		c.armIdle()
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.fail(&Error{"Disconnected", c.id, CodeTimedOut, ErrIdle})
}

// spare returns what must be given to TLS before what the transport reads.
func (c *Connection) spare() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest, skipLF := c.framer.Rest()
	c.transport.dropLF = skipLF
	return slices.Clone(rest)
}
