package jsonmsg

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ingot.dev/tlsio"
)

// terms are the options of a Server or a Client as its sessions need them. A
// duration of 0 means that there is no limit.
type terms struct {
	requestTimeout, authTimeout, writeTimeout time.Duration
	idleTimeout                               time.Duration // client
	keepAliveInterval, keepAliveTimeout       time.Duration // server

	maxMessage, maxPassword, maxQueue, maxPending int

	mem   meter
	stats counters
}

// side is what differs between a Server's session and a Client's.
type side interface {
	// password decides on a client's first message. An error ends the session.
	password(s *session, text []byte) error
	// accepted is told that the server has taken the password.
	accepted(s *session)
}

// session is one connection, from the end of its TLS handshake. While idle it has
// one goroutine, the caller of run, and no buffers.
//
// Three goroutines work on it at most: the reader (run), which handles answers,
// pings and pongs itself and gives messages and requests to the inbox; the inbox's,
// in which handlers run; and the writer, which sends what is queued. Handlers may
// therefore send requests to the same peer and wait for their answers.
type session struct {
	*terms
	id     uint64
	conn   *tlsio.Conn
	side   side
	inbox  *inbox
	ids    *atomic.Uint64 // request ids count here
	server bool
	done   chan struct{} // closed by end
	mem    purse

	// The reader's own.
	phase    phase
	lines    lines
	early    int  // bytes received before authentication
	reported bool // an unparsable line was
	refused  bool // the server has refused the password

	stalled atomic.Bool  // the reader waits for our own handlers or writer
	resumed atomic.Int64 // when it last stopped to, UnixNano

	mu       sync.Mutex
	open     bool // authenticated, and not ended
	ended    bool
	cause    error // why it ended
	pending  map[uint64]chan answer
	queue    []outgoing
	queued   int // bytes, what is being written included
	writing  bool
	idle     chan struct{} // closed when the writer stops; nil while nobody waits
	added    uint64        // lines ever queued
	through  uint64        // of these, how many were given to the transport, or dropped
	flushes  []flush
	keep     *time.Timer // keep-alive; nil while off
	pings    []sentPing
	nextPing time.Time
}

// answer is what a request ends with.
type answer struct {
	body json.RawMessage
	err  error
}

// outgoing is a line to be sent. cost is what the meter was charged with.
type outgoing struct {
	line []byte
	cost int
}

// flush waits for the lines up to one.
type flush struct {
	upTo uint64
	done chan struct{}
}

// sentPing is a ping that has no pong yet.
type sentPing struct {
	key      uint16
	deadline time.Time
}

const (
	// What a queued line costs besides its bytes.
	lineCost = 64
	// The protocol's own short lines may exceed MaxQueue by so much.
	controlRoom = 4 << 10
	// More pings than this are not under way at once.
	maxPings = 32
)

func (s *session) start() {
	s.done = make(chan struct{})
	s.mem = purse{&s.terms.mem, tlsio.AccountOf(s.conn)}
	s.lines.mem = &s.mem
	s.lines.max = s.maxMessage
	s.phase = clientWaits
	if s.server {
		s.phase = serverWaits
		s.lines.max = s.maxPassword
	}
	if s.authTimeout > 0 {
		s.conn.SetReadDeadline(time.Now().Add(s.authTimeout))
	}
}

// run reads until the session ends. When it returns, the reader and the writer
// are gone, and nothing but its last events may be added to the inbox.
func (s *session) run() {
	_, err := s.conn.WriteTo(reader{s})
	if err == nil && (s.lines.part != nil || !s.conn.CloseNotifyReceived()) {
		err = io.ErrUnexpectedEOF
	}
	if s.lines.part != nil {
		s.stats.unparsable.Add(1)
		s.lines.drop()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && !errors.As(err, new(timeoutError)) {
		err = ErrSilent
		if s.phase == serverWaits || s.phase == clientWaits {
			err = ErrAuthTimeout
		}
	}
	s.end(err)
	if idle := s.writerIdle(); idle != nil {
		<-idle
	}
}

// reader makes the session what tlsio.Conn.WriteTo writes to, so that waiting for
// data holds no buffer.
type reader struct{ s *session }

func (r reader) Write(p []byte) (int, error) {
	s := r.s
	if err := s.lines.feed(p, s.line); err != nil {
		return 0, err
	}
	if s.idleTimeout > 0 && s.phase == clientOpen {
		s.conn.SetReadDeadline(time.Now().Add(s.idleTimeout))
	}
	return len(p), nil
}

// line handles one line.
func (s *session) line(line []byte) error {
	if s.phase == serverWaits {
		// Without this, blank lines could go on until the deadline.
		if s.early += len(line) + 1; s.early > 2*s.maxPassword {
			return ErrTooLong
		}
	}
	in := classify(line, s.phase)
	switch in.kind {
	case blank:
	case unparsable:
		s.stats.unparsable.Add(1)
		if !s.reported {
			s.reported = true
			s.inbox.post(event{kind: eventError, from: s, err: ErrUnparsable})
		}
	case dropped:
		s.stats.dropped.Add(1)
	case password:
		if err := s.side.password(s, in.id); err != nil {
			return err
		}
		s.phase = serverOpen
		s.lines.max = s.maxMessage
		s.conn.SetReadDeadline(time.Time{})
	case authenticated:
		s.phase = clientOpen
		s.conn.SetReadDeadline(time.Time{})
		s.mu.Lock()
		s.open = !s.ended
		s.mu.Unlock()
		s.side.accepted(s)
	case message, request:
		if s.phase == clientWaits && string(in.id) == incorrectPassword {
			s.refused = true
		}
		s.stats.received.Add(1)
		return s.inbox.offer(event{kind: eventMessage, from: s, in: in})
	case response:
		s.answer(number(in.id), in.body)
	case ping:
		return s.answerPing(in.id)
	case pong:
		s.pong(number(in.id))
	}
	return nil
}

func (s *session) stall(on bool) {
	if !on {
		s.resumed.Store(time.Now().UnixNano())
	}
	s.stalled.Store(on)
}

// opened makes a server's session an authenticated one, sends first, and starts
// the pings.
func (s *session) opened(first []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.open = true
	s.enqueue(first, true)
	if s.keepAliveInterval > 0 {
		s.nextPing = time.Now().Add(s.keepAliveInterval)
		s.keep = time.AfterFunc(s.keepAliveInterval, s.keepAlive)
	}
}

// end ends the session for cause, nil for an orderly end by the peer. Only the
// first call counts. What waits to be sent is dropped.
func (s *session) end(cause error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended, s.open, s.cause = true, false, cause
	pending := s.pending
	s.pending = nil
	for _, o := range s.queue {
		s.queued -= len(o.line) + lineCost
		s.mem.give(o.cost)
	}
	s.queue = nil
	if s.keep != nil {
		s.keep.Stop()
	}
	s.mu.Unlock()
	close(s.done)
	for _, ch := range pending {
		ch <- answer{err: ErrConnectionLost}
	}
	if cause == nil || cause == ErrDisconnected || cause == ErrIncorrectPassword {
		// A goodbye. It waits for a peer that doesn't read, but not for long.
		// crypto/tls leaves it out while a write is under way.
		t := time.AfterFunc(time.Second, func() { s.conn.NetConn().Close() })
		if idle := s.writerIdle(); idle != nil {
			<-idle
		}
		s.conn.Close()
		t.Stop()
		return
	}
	destroy(s.conn)
}

// destroy closes a connection without the goodbye, which could wait for the peer.
func destroy(c *tlsio.Conn) {
	c.NetConn().Close()
	c.Close()
}

// ending returns why the session ended.
func (s *session) ending() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// send queues a program's line.
func (s *session) send(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return ErrNotConnected
	}
	return s.enqueue(line, false)
}

// enqueue queues a line and starts the writer. The protocol's own lines have room
// of their own. s.mu is held.
func (s *session) enqueue(line []byte, own bool) error {
	size, limit, cost := len(line)+lineCost, s.maxQueue, len(line)+lineCost
	if own {
		limit, cost = limit+controlRoom, 0
	}
	if s.queued > 0 && s.queued+size > limit {
		return ErrQueueFull
	}
	if !s.mem.take(cost) {
		return ErrMemory
	}
	s.queue = append(s.queue, outgoing{line, cost})
	s.queued += size
	s.added++
	if !s.writing {
		s.writing = true
		go s.write()
	}
	return nil
}

// write sends what is queued, and ends when that is nothing.
func (s *session) write() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		o := s.queue[0]
		s.queue[0] = outgoing{}
		s.queue = s.queue[1:]
		s.mu.Unlock()
		err := s.put(o.line)
		if err != nil {
			s.end(err)
		} else {
			s.stats.sent.Add(1)
		}
		s.mem.give(o.cost)
		s.mu.Lock()
		s.queued -= len(o.line) + lineCost
		s.through++
		for len(s.flushes) > 0 && s.flushes[0].upTo <= s.through {
			close(s.flushes[0].done)
			s.flushes = s.flushes[1:]
		}
	}
	s.queue, s.flushes = nil, nil
	s.writing = false
	if s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// put writes one line. Nobody else may write meanwhile.
func (s *session) put(line []byte) error {
	return pieces(line, func(p []byte) error {
		if s.writeTimeout > 0 {
			s.conn.SetWriteDeadline(time.Now().Add(s.writeTimeout))
		}
		_, err := s.conn.Write(p)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = ErrSlowReader
		}
		return err
	})
}

// writerIdle returns a channel that is closed when all is sent, or nil if it is.
func (s *session) writerIdle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.writing {
		return nil
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	return s.idle
}

// flush waits until all that was queued before is given to the transport.
func (s *session) flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.through < s.added && !s.ended {
		f := flush{s.added, make(chan struct{})}
		s.flushes = append(s.flushes, f)
		s.mu.Unlock()
		var err error
		select {
		case <-f.done:
		case <-s.done:
		case <-ctx.Done():
			err = ctx.Err()
		}
		s.mu.Lock()
		if err != nil {
			s.flushes = slices.DeleteFunc(s.flushes, func(other flush) bool { return other == f })
			return err
		}
	}
	if s.ended {
		return ErrConnectionLost
	}
	return nil
}

// request sends v as a request and waits for its answer.
func (s *session) request(ctx context.Context, v any) (json.RawMessage, error) {
	line, err := encode(v, s.maxMessage)
	if err != nil {
		return nil, err
	}
	if line[0] != '{' {
		return nil, ErrNotObject
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id := s.ids.Add(1)
	if line, err = attach(line, keyRequest, uintText(id), s.maxMessage); err != nil {
		return nil, err
	}
	ch := make(chan answer, 1) // the sender never waits
	s.mu.Lock()
	switch {
	case !s.open:
		err = ErrNotConnected
	case len(s.pending) >= s.maxPending:
		err = ErrTooManyRequests
	default:
		err = s.enqueue(line, false)
	}
	if err == nil {
		if s.pending == nil {
			s.pending = make(map[uint64]chan answer)
		}
		s.pending[id] = ch
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var expired <-chan time.Time
	if s.requestTimeout > 0 {
		t := time.NewTimer(s.requestTimeout)
		defer t.Stop()
		expired = t.C
	}
	select {
	case a := <-ch:
		return a.body, a.err
	case <-expired:
		err = ErrRequestTimeout
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	delete(s.pending, id)
	s.mu.Unlock()
	return nil, err
}

// answer ends the request id. Answers to no request, or to one that has ended,
// are ignored.
func (s *session) answer(id uint64, body json.RawMessage) {
	s.mu.Lock()
	ch := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	if ch == nil {
		s.stats.ignored.Add(1)
		return
	}
	ch <- answer{body: body}
}

// answerPing answers a ping. A peer that pings and doesn't read is not read from.
func (s *session) answerPing(key []byte) error {
	if len(key) > controlRoom/4 {
		return ErrTooLong
	}
	line := control(keyPong, key)
	for {
		s.mu.Lock()
		var err error
		if !s.ended {
			err = s.enqueue(line, true)
		}
		s.mu.Unlock()
		if err == nil {
			return nil
		}
		idle := s.writerIdle()
		if idle == nil {
			continue
		}
		s.stall(true)
		select {
		case <-idle:
		case <-s.done:
		}
		s.stall(false)
	}
}

// keepAlive is called by its timer: it pings when it is time to, and ends the
// session when a pong is overdue.
func (s *session) keepAlive() {
	now := time.Now()
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	// While our own handlers keep us from reading, pongs can't be seen.
	grace := time.Unix(0, s.resumed.Load()).Add(s.keepAliveTimeout)
	if s.stalled.Load() {
		grace = now.Add(s.keepAliveTimeout)
	}
	next := s.nextPing
	for i := range s.pings {
		p := &s.pings[i]
		if p.deadline.Before(grace) {
			p.deadline = grace
		}
		if !p.deadline.After(now) {
			s.mu.Unlock()
			s.end(ErrKeepAliveTimeout)
			return
		}
	}
	if !next.After(now) {
		s.nextPing = now.Add(s.keepAliveInterval)
		if len(s.pings) < maxPings {
			key := s.pingKey()
			if s.keepAliveTimeout > 0 {
				s.pings = append(s.pings, sentPing{key, now.Add(s.keepAliveTimeout)})
			}
			s.enqueue(control(keyPing, uintText(uint64(key))), true)
		}
		next = s.nextPing
	}
	for _, p := range s.pings {
		if p.deadline.Before(next) {
			next = p.deadline
		}
	}
	s.keep.Reset(time.Until(next))
	s.mu.Unlock()
}

// pingKey picks a key from 1 to 65534 that isn't under way. The npm server's keys
// begin at 0, which its client doesn't see as a ping.
func (s *session) pingKey() uint16 {
	for {
		key := uint16(1 + rand.IntN(65534))
		if s.pingIndex(uint64(key)) < 0 {
			return key
		}
	}
}

func (s *session) pingIndex(key uint64) int {
	for i, p := range s.pings {
		if uint64(p.key) == key {
			return i
		}
	}
	return -1
}

// pong ends the wait for one ping. Others are ignored.
func (s *session) pong(key uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.pingIndex(key); i >= 0 {
		s.pings = append(s.pings[:i], s.pings[i+1:]...)
	} else {
		s.stats.ignored.Add(1)
	}
}

// reportable reports whether an OnError handler is to be told of a session's end.
func reportable(cause error) bool {
	return cause != nil && cause != ErrDisconnected && cause != ErrKeepAliveTimeout && cause != io.ErrUnexpectedEOF
}
