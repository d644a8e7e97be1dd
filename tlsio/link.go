package tlsio

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// closeTimeout limits the sending of what was written before Close.
const closeTimeout = 5 * time.Second

// events are what a link has to tell its owner. Their order is the order of
// callbacks within one turn of the loop.
type events uint8

const (
	evWritable events = 1 << iota
	evReadable
	evError
)

// link is 419's native socket: the connection with its buffers, its pending events
// and its goroutines. An instance only points at it, and hand-over (From) makes
// another instance its owner; nothing else moves, so nothing can be lost.
//
// One goroutine connects and then reads; it ends with the connection. Another
// exists only while there is output. The loop's goroutine calls dispatch.
type link struct {
	app    *App
	op     string // constructor's name, for errors
	cancel context.CancelFunc
	done   chan struct{} // closed when the reading goroutine has ended

	mu       sync.Mutex
	changed  sync.Cond // on mu: space in in, closed, detached, draining
	owner    *instance // nil once closed or detached
	set      settings  // socket options, applied when connected
	conn     net.Conn  // nil until connected
	secured  *Conn     // conn, if it is TLS
	up       bool      // connected, handshake done
	closed   bool
	detached bool // conn is to be taken out of the link
	lent     bool // the reader holds a region of in
	draining bool // the writing goroutine runs
	err      error
	writeErr error
	in, out  ring
	events   events
	queued   bool // stands in app's queue
}

func newLink(app *App, op string) *link {
	l := &link{app: app, op: op, done: make(chan struct{})}
	l.changed.L = &l.mu
	return l
}

// connector makes a link's connection; it may take its time.
type connector func(ctx context.Context) (net.Conn, error)

// start runs the link on what connect will return.
func (l *link) start(connect connector) {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go func() {
		defer close(l.done)
		defer cancel()
		conn, err := connect(ctx)
		if l.connected(conn, err) {
			l.readLoop()
		}
	}()
}

// startOn runs the link on a connection that exists.
func (l *link) startOn(conn net.Conn) {
	l.cancel = func() {}
	if !l.connected(conn, nil) {
		close(l.done)
		return
	}
	go func() {
		defer close(l.done)
		l.readLoop()
	}()
}

// connected notes how connecting ended and reports whether there is to be reading.
func (l *link) connected(conn net.Conn, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.fail(err)
		return false
	}
	if l.closed {
		go conn.Close() // not under mu: close_notify may wait for the peer
		return false
	}
	raw := conn
	if l.secured, _ = conn.(*Conn); l.secured != nil {
		raw = l.secured.NetConn()
	}
	if err := l.set.apply(l.op, raw); err != nil {
		go conn.Close()
		l.fail(err)
		return false
	}
	l.conn = conn
	l.up = true
	l.post(evWritable)
	return !l.detached
}

// fail ends the connection with err, if nothing did before. l.mu is held.
func (l *link) fail(err error) {
	if l.err == nil {
		l.err = err
		l.post(evError)
	}
}

// post notes events and queues the link. l.mu is held.
func (l *link) post(e events) {
	if l.owner == nil {
		return
	}
	l.events |= e
	if !l.queued {
		l.queued = true
		l.app.push(task{events: l})
	}
}

// dispatch calls the owner's callbacks; the loop calls it. Each callback may
// read, close or hand over, so each starts from the state that the one before left.
func (l *link) dispatch() {
	l.mu.Lock()
	l.queued = false
	l.mu.Unlock()
	l.call(evWritable)
	l.call(evReadable)
	l.call(evError)
}

func (l *link) call(e events) {
	l.mu.Lock()
	o := l.owner
	if o == nil || l.events&e == 0 {
		l.mu.Unlock()
		return
	}
	if e == evError && l.in.n > 0 {
		// Held back until buffered data has been read; took queues it again.
		l.mu.Unlock()
		return
	}
	l.events &^= e
	switch e {
	case evWritable:
		n := l.out.free()
		usable := l.writeErr == nil
		l.mu.Unlock()
		if usable && o.onWritable != nil {
			o.onWritable(n)
		}
	case evReadable:
		n := l.in.n
		l.mu.Unlock()
		if n > 0 && o.onReadable != nil {
			o.onReadable(n)
		}
	case evError:
		o.failed = true
		err := l.err
		l.mu.Unlock()
		if o.onError != nil {
			o.onError(err)
		}
	}
}

// readLoop fills in until the connection ends. While nothing arrives it holds one
// byte (TLS) or one small array (TCP), not a buffer.
func (l *link) readLoop() {
	size := 512
	if l.secured != nil {
		size = 1 // the rest of a record is had without waiting
	}
	small := make([]byte, size)
	bulk := false // the last read filled what it was given: plain TCP reads into in directly
	for {
		l.mu.Lock()
		for l.in.free() == 0 && !l.closed && !l.detached {
			l.changed.Wait()
		}
		if l.closed || l.detached {
			l.mu.Unlock()
			return
		}
		if !bulk {
			l.in.release()
		}
		dst := small
		if bulk {
			dst = l.in.space()
			l.lent = true
		} else if l.in.free() < len(dst) {
			dst = dst[:l.in.free()]
		}
		l.mu.Unlock()

		n, err := l.conn.Read(dst)

		l.mu.Lock()
		if bulk {
			l.in.commit(n)
		} else {
			l.in.write(dst[:n])
		}
		l.lent = false
		bulk = l.secured == nil && n == len(dst) && n > 0
		if l.secured != nil && err == nil && l.in.free() > 0 {
			more := l.in.space()
			l.lent = true
			l.mu.Unlock()
			n, err = l.secured.readMore(more)
			l.mu.Lock()
			l.lent = false
			l.in.commit(n)
		}
		if l.detached && isTimeout(err) {
			err = nil // the deadline by which detach ends the reading
		}
		if l.in.n > 0 {
			l.post(evReadable)
		}
		if err != nil {
			l.fail(l.readError(err))
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

func (l *link) readError(err error) error {
	addr := l.conn.RemoteAddr() // some networks forget it with the connection
	if err != io.EOF {
		return newError("Read", addr, StageRead, nil, l.secured != nil && l.secured.server, err)
	}
	e := &Error{Op: "Read", Stage: StageRead, Err: err}
	if addr != nil {
		e.Addr = addr.String()
	}
	switch {
	case l.secured == nil:
	case l.secured.CloseNotifyReceived():
		e.Alert = Alert{AlertReceived, 0}
	default:
		e.Hint = "the peer closed without close_notify: data may be missing at the end"
	}
	return e
}

// drain sends out until it is empty. If the link was closed meanwhile, it closes
// the connection then.
func (l *link) drain() {
	l.mu.Lock()
	for l.out.n > 0 && l.writeErr == nil {
		p := l.out.peek()
		l.mu.Unlock()
		n, err := l.conn.Write(p)
		l.mu.Lock()
		l.out.drop(n)
		if err != nil {
			server := l.secured != nil && l.secured.server
			l.writeErr = newError("Write", l.conn.RemoteAddr(), StageWrite, nil, server, err)
			l.fail(l.writeErr)
			break
		}
		l.post(evWritable)
	}
	l.out.release()
	l.draining = false
	l.changed.Broadcast()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		l.conn.Close()
	}
}

// kick starts drain if there is something to send. l.mu is held.
func (l *link) kick() {
	if l.out.n > 0 && !l.draining && l.writeErr == nil {
		l.draining = true
		go l.drain()
	}
}

// took is called after bytes were taken from in. l.mu is held.
func (l *link) took() {
	l.changed.Broadcast()
	if l.in.n == 0 {
		if !l.lent {
			l.in.release()
		}
		if l.events&evError != 0 {
			l.post(evError)
		}
	}
}

// close ends the link. Output accepted before is still sent, for closeTimeout at
// most. l.mu is held.
func (l *link) close() {
	l.owner, l.events = nil, 0
	l.closed = true
	l.cancel()
	l.changed.Broadcast()
	if l.conn == nil {
		return
	}
	if l.out.n > 0 && l.writeErr == nil {
		l.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		l.kick()
		return // drain closes
	}
	if l.draining {
		return
	}
	if l.secured != nil {
		go l.conn.Close() // sends close_notify, which may wait for the peer
		return
	}
	l.conn.Close()
}

// moveTo makes o the owner. Events begin anew: what can be read or written now,
// and an error not yet delivered, are told to o. l.mu is held.
func (l *link) moveTo(o *instance) {
	l.owner, l.events = o, 0
	var e events
	if l.up && l.writeErr == nil {
		e |= evWritable
	}
	if l.in.n > 0 {
		e |= evReadable
	}
	if l.err != nil {
		e |= evError
	}
	if e != 0 {
		l.post(e)
	}
}

// detach takes the link from its owner, so that take can get at the connection.
// l.mu is held.
func (l *link) detach() {
	l.owner, l.events = nil, 0
	l.detached = true
	l.changed.Broadcast()
	if l.up {
		l.conn.SetReadDeadline(time.Unix(1, 0))
		l.kick()
	}
}

// take waits until a detached link is quiet (connected, all output sent) and
// returns its connection and the bytes that were read but not delivered. If ctx
// ends before, the connection is closed.
func (l *link) take(ctx context.Context) (net.Conn, []byte, error) {
	stop := context.AfterFunc(ctx, func() {
		l.cancel()
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.conn != nil {
			l.conn.Close()
		}
	})
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.draining {
		l.changed.Wait()
	}
	if !stop() {
		return nil, nil, &Error{Op: l.op, Stage: StageConnect, Err: context.Cause(ctx)}
	}
	if l.conn == nil {
		return nil, nil, l.err
	}
	if l.writeErr != nil {
		l.conn.Close()
		return nil, nil, l.writeErr
	}
	l.conn.SetReadDeadline(time.Time{})
	unread := make([]byte, l.in.n)
	l.in.read(unread)
	l.in.release()
	if l.err != nil && len(unread) == 0 && !errors.Is(l.err, io.EOF) {
		l.conn.Close()
		return nil, nil, l.err
	}
	return l.conn, unread, nil
}
