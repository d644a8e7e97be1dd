package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ingot.dev/tlsio"
)

// phase is where a connection is in its life.
type phase uint8

const (
	phaseOpening phase = iota // accepted; in the handshake, if TLS is implicit
	phaseOpen                 // between Connected and the end
	phaseClosing              // Disconnect was called, or something failed
	phaseOver                 // nothing can be done with it any more
)

// Connection is one client's connection. Its methods may be called from any
// goroutine, in events too. After its end those that can fail do so with
// ErrInvalidConnection.
type Connection struct {
	id     string
	number uint64
	server *Server
	config *Config // as it was when the connection was accepted; constant
	post   func(func())

	transport     *transport
	local, remote netip.AddrPort
	ctx           context.Context // ends when the connection is broken off
	cancel        context.CancelFunc
	account       *tlsio.Account // of Config.Budget
	turns         turns
	active        atomic.Int64 // when bytes last moved, since the server's start
	logged        atomic.Int32 // records whose TLSStatus waits
	start         time.Time    // of the handshake

	mu        sync.Mutex
	changed   chan struct{} // closed when anything below changes; nil if nobody waits
	phase     phase
	reason    error // why it ended; nil for Disconnect and the peer's end
	conn      net.Conn
	secured   *tlsio.Conn
	connected bool // Connected was called without error
	evicted   bool
	feeding   bool        // the reading goroutine is busy with what it has read
	recut     bool        // the reading goroutine was woken by cutAgain
	stuck     *time.Timer // until the reading goroutine comes to the end

	framer  Framer
	extra   int // bytes of account for lines and records above Config.MaxLineLength
	paused  bool
	wantTLS bool // StartTLS was called; nothing is read or taken any more
	idle    time.Duration
	timer   *time.Timer // of idle
	timeout time.Duration
	data    any

	queue      queue
	writing    bool        // the writing goroutine runs
	stall      *time.Timer // of StallTimeout, while writing
	probed     bool        // probe has set a deadline that no write has met yet
	doubted    bool        // the last write to meet it had sent nothing
	sending    bool        // somebody's send waits
	queued     uint64      // bytes ever put into queue
	flushed    uint64      // bytes given to the network
	received   uint64
	sent       int // BytesSent
	ready      bool
	wantReady  bool // ReadyToSend is owed
	interrupts int
}

// ID returns the number by which Server's methods know the connection. Ids count
// up from 1 and are never used twice.
func (c *Connection) ID() string { return c.id }

// Connected reports whether the connection can be used: since Connected, until it
// ends.
func (c *Connection) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == phaseOpen
}

// over reports whether the last event was called.
func (c *Connection) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == phaseOver
}

// LocalAddress returns the address of the interface that the connection came
// through.
func (c *Connection) LocalAddress() string {
	if !c.local.IsValid() {
		return ""
	}
	return c.local.Addr().String()
}

// RemoteHost returns the client's IP address.
func (c *Connection) RemoteHost() (string, error) {
	if err := c.enter("RemoteHost"); err != nil {
		return "", err
	}
	c.mu.Unlock()
	return c.remote.Addr().String(), nil
}

// RemotePort returns the client's port.
func (c *Connection) RemotePort() (int, error) {
	if err := c.enter("RemotePort"); err != nil {
		return 0, err
	}
	c.mu.Unlock()
	return int(c.remote.Port()), nil
}

// RemoteAddr returns the client's address and port, also after the end.
func (c *Connection) RemoteAddr() netip.AddrPort { return c.remote }

// ConnectionState returns what TLS negotiated; ok is false on connections that are
// not secured (yet).
func (c *Connection) ConnectionState() (state tls.ConnectionState, ok bool) {
	conn := c.TLS()
	if conn == nil {
		return state, false
	}
	return conn.ConnectionState(), true
}

// TLS returns the secured connection, for its State; nil on connections that are
// not secured (yet). Reading from it, writing to it or closing it breaks things.
func (c *Connection) TLS() *tlsio.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secured
}

// made returns an error if no server has made c.
func (c *Connection) made(op string) error {
	if c.server == nil {
		return &Error{Op: op, Code: CodeInvalidConnectionID}
	}
	return nil
}

// enter locks c, or returns an error if its life is over, or if no server has made
// it.
func (c *Connection) enter(op string) error {
	c.mu.Lock()
	if c.phase == phaseOver || c.server == nil {
		c.mu.Unlock()
		return &Error{Op: op, ID: c.id, Code: CodeInvalidConnectionID}
	}
	return nil
}

// wait returns a channel that is closed with the next change. c.mu is held.
func (c *Connection) wait() <-chan struct{} {
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}

// wake tells those who wait that something has changed. c.mu is held.
func (c *Connection) wake() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// AcceptData reports whether DataIn is called; PauseData makes it false.
func (c *Connection) AcceptData() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.paused
}

// PauseData stops DataIn until ProcessData. What arrives meanwhile waits in the
// network's buffer, and the client is held back when that is full; the end of the
// client's data may be noticed after ProcessData only. Within DataIn, no further
// DataIn follows.
func (c *Connection) PauseData() error { return c.setPaused("PauseData", true) }

// ProcessData has DataIn called again after PauseData.
func (c *Connection) ProcessData() error { return c.setPaused("ProcessData", false) }

func (c *Connection) setPaused(op string, paused bool) error {
	if err := c.enter(op); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.paused = paused
	c.wake()
	return nil
}

// EOL returns the connection's line end.
func (c *Connection) EOL() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.framer.EOL)
}

// SetEOL changes the line end, for what DataIn hasn't got yet.
func (c *Connection) SetEOL(eol []byte) error {
	if len(eol) > LeastMaxLineLength {
		var errs optionErrors
		errs.add("EOL", len(eol), "is too long for a line buffer")
		return errs.err("SetEOL")
	}
	if err := c.enter("SetEOL"); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.framer.EOL = slices.Clone(eol)
	c.cutAgain()
	return nil
}

// SingleLineMode reports whether lines end at CR LF, CR or LF.
func (c *Connection) SingleLineMode() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framer.SingleLine
}

// SetSingleLineMode changes it, for what DataIn hasn't got yet.
func (c *Connection) SetSingleLineMode(on bool) error {
	if err := c.enter("SetSingleLineMode"); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.framer.SingleLine = on
	c.cutAgain()
	return nil
}

// MaxLineLength returns the size of the line buffer.
func (c *Connection) MaxLineLength() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framer.MaxLine
}

// SetMaxLineLength changes it. If more of an unfinished line has come already, it
// fails with ErrMaxLineLength.
func (c *Connection) SetMaxLineLength(n int) error {
	const op = "SetMaxLineLength"
	var errs optionErrors
	errs.within("MaxLineLength", &n, DefaultMaxLineLength, LeastMaxLineLength, mostBuffer, " bytes")
	if err := errs.err(op); err != nil {
		return err
	}
	if err := c.enter(op); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if n < c.framer.MaxLine && c.framer.exceeds(n) {
		return &Error{Op: op, ID: c.id, Code: CodeMaxLineLength}
	}
	if err := c.resize(op, n, c.framer.RecordLength); err != nil {
		return err
	}
	c.framer.MaxLine = n
	c.cutAgain()
	return nil
}

// RecordLength returns what ChangeRecordLength has set.
func (c *Connection) RecordLength() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framer.RecordLength
}

// ChangeRecordLength has DataIn called with exactly n bytes each time; 0 goes back to
// lines. It holds for what DataIn hasn't got yet, so called within DataIn for the
// very next byte. n is at most Config.MaxRecordLength, and within Config.Budget: where
// it comes from the client, these errors are what bounds memory.
func (c *Connection) ChangeRecordLength(n int) error {
	const op = "ChangeRecordLength"
	if err := c.made(op); err != nil {
		return err
	}
	if n < 0 || n > c.config.MaxRecordLength {
		var errs optionErrors
		errs.add("RecordLength", n, "use 0 to MaxRecordLength")
		return errs.err(op)
	}
	if err := c.enter(op); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if err := c.resize(op, c.framer.MaxLine, n); err != nil {
		return err
	}
	c.framer.RecordLength = n
	c.cutAgain()
	return nil
}

// Timeout returns how long sending may wait without progress; 0 means that it
// doesn't wait.
func (c *Connection) Timeout() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timeout
}

// SetTimeout changes it for sends that begin from now on.
func (c *Connection) SetTimeout(d time.Duration) error {
	var errs optionErrors
	errs.positive("Timeout", d)
	if err := errs.err("SetTimeout"); err != nil {
		return err
	}
	if err := c.enter("SetTimeout"); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.timeout = d
	return nil
}

// UserData returns what SetUserData has kept, also after the end.
func (c *Connection) UserData() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data
}

// SetUserData keeps the program's own data with the connection.
func (c *Connection) SetUserData(v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = v
}

// BytesSent returns how many bytes the last send took; with a Timeout, 0.
func (c *Connection) BytesSent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent
}

// ReadyToSend is false from a send that took nothing until the event of this name,
// and while the connection is not Connected.
func (c *Connection) ReadyToSend() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready && c.phase == phaseOpen
}
