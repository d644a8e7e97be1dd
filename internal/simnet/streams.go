package simnet

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// StreamOptions say what connections of a Streams do to what is sent over them. The
// zero value passes everything on as soon as it is written.
type StreamOptions struct {
	// Seed draws the pieces and pauses.
	Seed uint64

	// Buffer is how many bytes may be on their way in one direction: a Write
	// waits for room. 0 is 64 KiB. A buffer of 1 passes bytes one by one.
	Buffer int

	// Split lets a Read return less than there is, at a random place, and a
	// Write put its bytes into the buffer in random pieces.
	Split bool

	// Pause is the most that a Read or a piece of a Write is held up, at random
	// times; what is written meanwhile arrives together.
	Pause time.Duration

	// Damage and Cut, if above 0, are the number of the byte, counted from 1 in
	// each direction of each connection, in which a bit flips, or before which
	// the direction ends. With Reset it ends as TCP's reset, in both directions,
	// otherwise as if the peer had closed. ToServer and ToClient spare the
	// other direction if one of them is set.
	Damage, Cut        int64
	Reset              bool
	ToServer, ToClient bool
}

// Schedule draws options without faults from a seed: some pass single bytes, some
// large pieces, some pause.
func Schedule(seed uint64) StreamOptions {
	r := rand.New(rand.NewPCG(seed, 0x5c4ed))
	o := StreamOptions{Seed: seed, Split: r.IntN(4) != 0}
	switch r.IntN(4) {
	case 0:
		o.Buffer = 1 + r.IntN(32)
	case 1:
		o.Buffer = 1 + r.IntN(2000)
	case 2:
		o.Buffer = 1 + r.IntN(40000)
	}
	if r.IntN(2) == 0 {
		o.Pause = time.Duration(r.IntN(300)) * time.Microsecond
	}
	return o
}

// Streams is a network in memory. Its addresses are ports of 127.0.0.1.
type Streams struct {
	o StreamOptions

	mu        sync.Mutex
	listeners map[uint16]*streamListener
	last      uint16 // the port given away last
	conns     uint64
}

// NewStreams makes a network. It has no goroutines, and needs no closing.
func NewStreams(o StreamOptions) *Streams {
	if o.Buffer <= 0 {
		o.Buffer = 64 << 10
	}
	return &Streams{o: o, listeners: map[uint16]*streamListener{}, last: 20000}
}

// Pair returns both ends of one connection over a network of its own.
func Pair(o StreamOptions) (client, server net.Conn) {
	a, b := NewStreams(o).pair(1)
	return a, b
}

const streamBacklog = 128

// Listen is tlsio.Network's. The host of address is ignored.
func (s *Streams) Listen(_ context.Context, network, address string) (net.Listener, error) {
	fail := func(err error) (net.Listener, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	port, err := streamPort(network, address)
	if err != nil {
		return fail(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if port == 0 {
		port = s.free()
	}
	if s.listeners[port] != nil {
		return fail(os.NewSyscallError("bind", syscall.EADDRINUSE))
	}
	l := &streamListener{network: s, port: port, conns: make(chan *streamConn, streamBacklog), done: make(chan struct{})}
	s.listeners[port] = l
	return l, nil
}

func streamPort(network, address string) (uint16, error) {
	if network != "tcp" && network != "tcp4" {
		return 0, net.UnknownNetworkError(network)
	}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	var port uint16
	if _, err := fmt.Sscan(text, &port); err != nil {
		return 0, &net.AddrError{Err: "invalid port", Addr: address}
	}
	return port, nil
}

// free returns a port that nobody has. s.mu is held.
func (s *Streams) free() uint16 {
	for {
		if s.last++; s.last < 20000 {
			s.last = 20000
		}
		if s.listeners[s.last] == nil {
			return s.last
		}
	}
}

// DialContext is tlsio.Network's. The host of address is ignored.
func (s *Streams) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	port, err := streamPort(network, address)
	if err != nil {
		return fail(err)
	}
	s.mu.Lock()
	l := s.listeners[port]
	from := s.free()
	s.mu.Unlock()
	if l == nil {
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	client, server := s.pair(port)
	client.local, server.remote = streamAddr(from), streamAddr(from)
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	}
}

func streamAddr(port uint16) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(loopback, port))
}

func (s *Streams) pair(port uint16) (client, server *streamConn) {
	s.mu.Lock()
	s.conns++
	id := s.conns
	s.mu.Unlock()
	both := s.o.ToServer == s.o.ToClient
	up := newStream(s.o, id*2, both || s.o.ToServer)
	down := newStream(s.o, id*2+1, both || s.o.ToClient)
	up.other, down.other = down, up
	client = &streamConn{in: down, out: up, local: streamAddr(1), remote: streamAddr(port)}
	server = &streamConn{in: up, out: down, local: streamAddr(port), remote: streamAddr(1)}
	return client, server
}

type streamListener struct {
	network *Streams
	port    uint16
	conns   chan *streamConn
	done    chan struct{}
	once    sync.Once
}

func (l *streamListener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
	case c := <-l.conns:
		return c, nil
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

// Close resets who waits to be accepted.
func (l *streamListener) Close() error {
	err := error(&net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed})
	l.once.Do(func() {
		close(l.done)
		l.network.mu.Lock()
		delete(l.network.listeners, l.port)
		l.network.mu.Unlock()
		for {
			select {
			case c := <-l.conns:
				c.in.reset()
			default:
				err = nil
				return
			}
		}
	})
	return err
}

func (l *streamListener) Addr() net.Addr { return streamAddr(l.port) }

// stream is one direction of a connection.
type stream struct {
	o      StreamOptions
	faulty bool
	other  *stream

	mu      sync.Mutex
	random  *rand.Rand
	changed chan struct{} // closed and replaced when something below changes
	buf     []byte
	passed  int64 // bytes that Read returned
	ended   bool  // nothing is written any more
	refused bool  // nobody reads any more
	broken  bool  // reset
}

func newStream(o StreamOptions, id uint64, faulty bool) *stream {
	return &stream{o: o, faulty: faulty, random: rand.New(rand.NewPCG(o.Seed, id)), changed: make(chan struct{})}
}

// wake lets everyone look again. s.mu is held.
func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) update(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.wake()
}

// reset breaks both directions.
func (s *stream) reset() {
	s.update(func() { s.broken, s.buf = true, nil })
	s.other.update(func() { s.other.broken, s.other.buf = true, nil })
}

// piece returns how many of n bytes to take at once. s.mu is held.
func (s *stream) piece(n int) int {
	if !s.o.Split || n <= 1 {
		return n
	}
	if s.random.IntN(4) == 0 {
		return 1 + s.random.IntN(min(n, 8)) // often in the middle of a header
	}
	return 1 + s.random.IntN(n)
}

// pause returns how long to wait now. s.mu is held.
func (s *stream) pause() time.Duration {
	if s.o.Pause <= 0 || s.random.IntN(4) != 0 {
		return 0
	}
	return time.Duration(s.random.Int64N(int64(s.o.Pause)))
}

func (s *stream) read(p []byte, d *deadline) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	wait := s.pause()
	s.mu.Unlock()
	if wait > 0 {
		time.Sleep(wait)
	}
	s.mu.Lock()
	for {
		switch {
		case d.passed():
			s.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case s.refused:
			s.mu.Unlock()
			return 0, net.ErrClosed
		case s.broken:
			s.mu.Unlock()
			return 0, os.NewSyscallError("read", syscall.ECONNRESET)
		}
		if n := s.o.Cut - 1 - s.passed; s.faulty && s.o.Cut > 0 && n <= int64(len(s.buf)) {
			// What is before the cut may still be read.
			s.buf = s.buf[:n]
			if n == 0 && s.o.Reset {
				s.mu.Unlock()
				s.reset()
				s.mu.Lock()
				continue
			}
			s.ended = true
		}
		if len(s.buf) > 0 {
			break
		}
		if s.ended {
			s.mu.Unlock()
			return 0, io.EOF
		}
		changed := s.changed
		s.mu.Unlock()
		d.wait(changed)
		s.mu.Lock()
	}
	n := copy(p[:min(len(p), s.piece(min(len(p), len(s.buf))))], s.buf)
	if at := s.o.Damage - 1 - s.passed; s.faulty && s.o.Damage > 0 && at >= 0 && at < int64(n) {
		p[at] ^= 1 << s.random.IntN(8)
	}
	s.buf = s.buf[n:]
	if len(s.buf) == 0 {
		s.buf = nil // an idle connection holds no buffer
	}
	s.passed += int64(n)
	s.wake()
	s.mu.Unlock()
	return n, nil
}

func (s *stream) write(p []byte, d *deadline) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case d.passed():
			return n, os.ErrDeadlineExceeded
		case s.broken:
			return n, os.NewSyscallError("write", syscall.ECONNRESET)
		case s.ended, s.refused:
			return n, os.NewSyscallError("write", syscall.EPIPE)
		case n == len(p):
			return n, nil
		}
		if room := s.o.Buffer - len(s.buf); room > 0 {
			k := s.piece(min(room, len(p)-n))
			s.buf = append(s.buf, p[n:n+k]...)
			n += k
			s.wake()
			if wait := s.pause(); wait > 0 && n < len(p) {
				s.mu.Unlock()
				time.Sleep(wait)
				s.mu.Lock()
			}
			continue
		}
		changed := s.changed
		s.mu.Unlock()
		d.wait(changed)
		s.mu.Lock()
	}
}

// deadline is the time by which an operation has to be done.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	over  chan struct{} // closed when it has passed or is set; nil if nobody waited
	at    time.Time
}

func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero() && !time.Now().Before(d.at)
}

// wait returns when changed is closed, the time has passed or was set anew.
func (d *deadline) wait(changed <-chan struct{}) {
	d.mu.Lock()
	if !d.at.IsZero() && !time.Now().Before(d.at) {
		d.mu.Unlock()
		return
	}
	if d.over == nil {
		d.over = make(chan struct{})
	}
	over := d.over
	d.mu.Unlock()
	select {
	case <-changed:
	case <-over:
	}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	d.look()
	if left := time.Until(t); !t.IsZero() && left > 0 {
		d.timer = time.AfterFunc(left, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.look()
		})
	}
}

// look makes whoever waits look again. d.mu is held.
func (d *deadline) look() {
	if d.over != nil {
		close(d.over)
		d.over = nil
	}
}

// streamConn is an end of a connection.
type streamConn struct {
	in, out       *stream
	local, remote net.Addr

	readDeadline, writeDeadline deadline

	mu     sync.Mutex
	closed bool
	linger bool // Close resets
}

func (c *streamConn) error(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

func (c *streamConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// wrap gives errors the form that package net's have.
func (c *streamConn) wrap(op string, err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case c.isClosed():
		err = net.ErrClosed
	}
	return c.error(op, err)
}

func (c *streamConn) Read(p []byte) (int, error) {
	n, err := c.in.read(p, &c.readDeadline)
	return n, c.wrap("read", err)
}

func (c *streamConn) Write(p []byte) (int, error) {
	n, err := c.out.write(p, &c.writeDeadline)
	return n, c.wrap("write", err)
}

func (c *streamConn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.error("close", net.ErrClosed)
	}
	c.closed = true
	reset := c.linger
	c.mu.Unlock()
	if reset {
		c.in.reset()
	}
	c.out.update(func() { c.out.ended = true })
	c.in.update(func() { c.in.refused, c.in.buf = true, nil })
	c.readDeadline.set(time.Time{}) // stop the timers
	c.writeDeadline.set(time.Time{})
	return nil
}

// CloseWrite ends what is sent.
func (c *streamConn) CloseWrite() error {
	if c.isClosed() {
		return c.error("close", net.ErrClosed)
	}
	c.out.update(func() { c.out.ended = true })
	return nil
}

// SetLinger with 0 makes Close reset the connection. Other values do nothing:
// what was written always stays to be read.
func (c *streamConn) SetLinger(seconds int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.error("set", net.ErrClosed)
	}
	c.linger = seconds == 0
	return nil
}

// SetNoDelay and the keep-alive settings do nothing: there is no timer to set.
func (c *streamConn) SetNoDelay(bool) error { return c.open() }

// SetKeepAliveConfig implements net.TCPConn's method.
func (c *streamConn) SetKeepAliveConfig(net.KeepAliveConfig) error { return c.open() }

func (c *streamConn) open() error {
	if c.isClosed() {
		return c.error("set", net.ErrClosed)
	}
	return nil
}

func (c *streamConn) LocalAddr() net.Addr  { return c.local }
func (c *streamConn) RemoteAddr() net.Addr { return c.remote }

func (c *streamConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *streamConn) SetReadDeadline(t time.Time) error {
	if err := c.open(); err != nil {
		return err
	}
	c.readDeadline.set(t)
	return nil
}

func (c *streamConn) SetWriteDeadline(t time.Time) error {
	if err := c.open(); err != nil {
		return err
	}
	c.writeDeadline.set(t)
	return nil
}
