package tlsio

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

// closeTimeout limits the sending of what was written before Close.
const closeTimeout = 5 * time.Second

// bulkWait is how long a plain connection waits for more bytes with a buffer, after it
// has got all that it asked for.
const bulkWait = time.Second

// streaming is how many bytes come at once where a connection streams.
const streaming = 8 << 10

// events are what a link has to tell its owner. Their order is the order of
// callbacks within one turn of the loop.
type events uint8

const (
	evWritable events = 1 << iota
	evReadable
	evEnd     // the peer has ended its data
	evError   // the last one
	evTimeout // nothing came or went for the idle timeout
	evNone
)

// link is 419's native socket: the connection with its buffers, its pending events
// and its goroutines. An instance only points at it, and hand-over (From) makes
// another instance its owner; nothing else moves, so nothing can be lost.
//
// One goroutine connects and then reads; it ends with the connection. Another
// exists only while there is output. Who has the loop calls dispatch: App.Run, or the
// reading goroutine (borrow.go).
type link struct {
	app *App
	op  string // constructor's name, for errors

	mu       sync.Mutex
	changed  sync.Cond          // on mu: space in in, closed, detached, paused, draining, done
	cancel   context.CancelFunc // of connecting; never nil
	owner    *instance          // nil once closed or detached
	set      settings           // socket options, applied when connected
	conn     net.Conn           // nil until connected
	secured  *Conn              // conn, if it is TLS
	shaking  net.Conn           // what TLS is begun on; nil before and after that
	up       bool               // connected, handshake done
	closed   bool
	detached bool // conn is to be taken out of the link
	// terminated says that Terminate has closed the link: a connection that is still
	// to come is reset.
	terminated bool
	paused     bool // the owner wants nothing to be read
	lent       bool // the reader holds a region of in
	telling    bool // the reader calls callbacks, and doesn't touch conn
	stalled    bool // the reader waits for room in in
	done       bool // the reader has ended
	draining   bool // the writing goroutine runs
	ending     bool // the owner has closed the sending side
	ended      bool // and the peer was told
	counted    bool // the app's Wait waits for this link
	err        error
	endErr     error // the peer's end; nil until then
	writeErr   error
	in, out    ring
	account    *Account // nil without a budget
	events     events
	queued     bool // stands in app's queue

	sent, received uint64    // bytes, for BytesWritten and BytesRead
	acceptor       *acceptor // the listener that made it, or nil
	idle           idleTimer
}

func newLink(app *App, op string) *link {
	l := &link{app: app, op: op, cancel: func() {}, counted: true}
	l.changed.L = &l.mu
	app.addRef()
	return l
}

// connector makes a link's connection; it may take its time.
type connector func(ctx context.Context) (net.Conn, error)

// start runs the link on what connect will return.
func (l *link) start(connect connector) {
	ctx, cancel := context.WithCancel(context.Background())
	l.mu.Lock()
	l.cancel = cancel
	if l.closed {
		cancel() // by its listener's CloseAll, which knows the link already
	}
	l.mu.Unlock()
	go func() {
		returned := false
		defer func() {
			if !returned {
				l.read(l.connected(nil, exited(l.op, nil, false)))
			}
		}()
		conn, err := connect(ctx)
		returned = true
		l.read(l.connected(conn, err))
	}()
}

// startOn runs the link on a connection that exists.
func (l *link) startOn(conn net.Conn) {
	if l.connected(conn, nil) {
		go l.read(true)
	} else {
		l.read(false)
	}
}

// read is the reading goroutine's life, which ends with the connection. It goes on in
// another goroutine if a callback ends this one.
func (l *link) read(reading bool) {
	defer func() {
		if reading {
			go l.read(true)
		}
	}()
	if reading {
		l.readLoop()
		reading = false
	}
	l.mu.Lock()
	l.cancel()
	l.done = true
	l.changed.Broadcast()
	l.mu.Unlock()
}

// connected notes how connecting ended and reports whether there is to be reading.
func (l *link) connected(conn net.Conn, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shaking = nil
	if err != nil {
		l.fail(err)
		return false
	}
	if l.closed {
		if l.terminated {
			resetting(conn)
		}
		go conn.Close() // not under mu: close_notify may wait for the peer
		return false
	}
	raw := conn
	if l.secured, _ = conn.(*Conn); l.secured != nil {
		raw = l.secured.NetConn()
		l.secured.wire.gather = new(gatherer)
	}
	if err := l.set.apply(l.op, raw); err != nil {
		go conn.Close()
		l.fail(err)
		return false
	}
	l.conn = conn
	l.up = true
	l.armIdle()
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

// peerEnded notes the end of the peer's data. Whether that is the connection's
// end too is up to the owner. l.mu is held.
func (l *link) peerEnded(err error) {
	l.endErr = err
	e := evEnd
	if l.failure() != nil {
		e |= evError
	}
	l.post(e)
}

// failure is what OnError is to be told, nil if the connection is usable: the
// peer's end is an error but for owners of AllowHalfOpen that haven't ended their
// own side. l.mu is held.
func (l *link) failure() error {
	if l.err != nil {
		return l.err
	}
	if l.endErr != nil && (l.owner == nil || !l.owner.halfOpen || l.ended) {
		return l.endErr
	}
	return nil
}

// post notes events and queues the link if one of them can be told. l.mu is held.
func (l *link) post(e events) {
	if l.owner == nil {
		return
	}
	l.events |= e
	if !l.queued && l.due() != 0 {
		l.queued = true
		l.app.push(task{events: l})
	}
}

// tellNow is post by the reader, which calls the callbacks itself if the loop has
// nothing to do. l.mu is held, and not when it returns.
func (l *link) tellNow(e events) {
	if l.owner != nil {
		l.events |= e
	}
	if l.owner == nil || l.queued || l.due() == 0 || !l.app.borrow() {
		l.post(0)
		l.mu.Unlock()
		return
	}
	l.queued, l.telling = true, true
	l.mu.Unlock()
	l.app.lent(l)
}

// due returns the events that can be told now. The end and errors are held back
// until buffered data has been read; while the owner pauses, so is all that comes
// from reading. After an error nothing is told any more. l.mu is held.
func (l *link) due() events {
	if l.owner.failed {
		return 0
	}
	e := l.events
	if l.in.n > 0 {
		e &^= evEnd | evError
	}
	if l.paused {
		e &^= evReadable | evEnd
		if l.err == nil {
			e &^= evError
		}
	}
	return e
}

// dispatch calls the owner's callbacks; the loop calls it. Each callback may
// read, close or hand over, so each starts from the state that the one before left.
func (l *link) dispatch() {
	l.mu.Lock()
	panicked := true
	defer func() {
		if panicked {
			l.post(0) // the other events
		}
		l.mu.Unlock()
	}()
	l.queued = false
	o := l.owner
	for e := evWritable; e < evNone; e <<= 1 {
		if l.owner != o || o == nil {
			break // closed, or handed over: then the new owner's turn is queued
		}
		if l.due()&e != 0 {
			l.events &^= e
			l.tell(e)
		}
	}
	panicked = false
}

// tell calls the owner's callback for e. l.mu is held, but not during the call.
func (l *link) tell(e events) {
	o := l.owner
	h := o.calls
	switch {
	case e == evTimeout:
		l.idleExpired(o, h)
	case h == nil:
		// Accepted, and not handed over yet: who takes it over is told.
	case e == evWritable:
		if n := l.writable(); n > 0 {
			l.outside(func() { h.writable(n) })
		}
		l.spare()
	case e == evReadable:
		if n := l.in.n; n > 0 {
			l.outside(func() { h.readable(n) })
		}
	case e == evEnd:
		l.outside(h.end)
	case e == evError:
		o.failed = true
		err := l.failure()
		defer l.unref() // also when it panics
		l.outside(func() { h.failed(err) })
	}
}

// outside calls f without l.mu.
func (l *link) outside(f func()) {
	l.mu.Unlock()
	defer l.mu.Lock()
	f()
}

// writable is the number of bytes that a write may have. l.mu is held.
func (l *link) writable() int {
	if !l.up || l.writeErr != nil || l.ending {
		return 0
	}
	return l.out.free()
}

// readLoop fills in until the connection ends. While nothing arrives it holds one
// byte (TLS) or one small array (TCP), not a buffer; that it has for bulkWait at most.
func (l *link) readLoop() {
	size := 512
	if l.secured != nil {
		size = 1 // the rest of a record is had without waiting
	}
	small := make([]byte, size)
	bulk := false // the last read filled what it was given: plain TCP reads into in directly
	for {
		l.mu.Lock()
		if l.telling {
			l.telling = false
			l.touch() // what came meanwhile was left to wait
		}
		for (l.in.free() == 0 || l.paused) && !l.closed && !l.detached {
			l.stalled = l.in.free() == 0
			l.changed.Wait()
		}
		l.stalled = false
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
			l.conn.SetReadDeadline(time.Now().Add(bulkWait)) // on networks that have deadlines
		} else if l.in.free() < len(dst) {
			dst = dst[:l.in.free()]
		}
		l.mu.Unlock()

		n, err := l.conn.Read(dst)

		l.mu.Lock()
		// What has arrived is counted as it comes: the owner may read meanwhile, so
		// that in may hold less than before.
		arrived := n
		if bulk {
			l.in.commit(n)
		} else {
			l.in.write(dst[:n])
		}
		l.lent = false
		l.received += uint64(n)
		full := l.secured == nil && n == len(dst) && n > 0
		if bulk && !full && !l.detached {
			l.conn.SetReadDeadline(time.Time{})
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil
			}
		}
		bulk = full
		if l.secured != nil && err == nil && l.in.free() > 0 {
			more := l.in.space()
			l.lent = true
			l.mu.Unlock()
			n, err = l.secured.readMore(more)
			l.mu.Lock()
			l.lent = false
			l.in.commit(n)
			l.received += uint64(n)
			arrived += n
		}
		if l.detached && isTimeout(err) {
			err = nil // the deadline by which detach ends the reading
		}
		if arrived > 0 {
			l.touch()
			if arrived >= streaming && err == nil {
				l.tellNow(evReadable)
				continue
			}
			l.post(evReadable)
		}
		if err != nil {
			if e := l.readError(err); err == io.EOF {
				l.peerEnded(e)
			} else {
				l.fail(e)
			}
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

// drain sends out until it is empty, and then the end if the owner has ended. If
// the link was closed meanwhile, it closes the connection then.
func (l *link) drain() {
	l.mu.Lock()
	for l.out.n > 0 && l.writeErr == nil {
		n, err := l.send(l.out.peek())
		l.out.drop(n)
		if l.out.n == 0 {
			l.out.head = 0 // whole records again, in memory that the caches know
		}
		if err != nil {
			l.writeFailed(err)
			break
		}
		l.touch()
		l.post(evWritable)
		if l.out.n == 0 && !l.closed && !l.ending {
			// Who was just told that there is room may fill it at once. A new
			// goroutine for that would cost more: its stack has to grow first.
			l.mu.Unlock()
			runtime.Gosched()
			l.mu.Lock()
		}
	}
	l.out.release()
	if l.ending && !l.ended && l.writeErr == nil && !l.closed {
		l.mu.Unlock()
		err := closeWrite(l.conn)
		l.mu.Lock()
		l.ended = true
		if err != nil {
			l.writeFailed(err)
		} else if l.endErr != nil {
			l.post(evError)
		}
	}
	l.draining = false
	l.changed.Broadcast()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		l.conn.Close()
	}
}

// send writes p, or a part of it. l.mu is held, but not meanwhile.
func (l *link) send(p []byte) (n int, err error) {
	g := l.gather()
	if g == nil || len(p) <= fullRecord || !l.account.reserveSpare(BudgetBuffers, recordsSize) {
		p = p[:min(len(p), fullRecord)]
		l.mu.Unlock()
		defer l.mu.Lock()
		return l.conn.Write(p)
	}
	l.mu.Unlock()
	records := recordArrays.Get().(*[recordsSize]byte)
	n, err = l.secured.writeTogether(g, p, records[:])
	recordArrays.Put(records)
	l.mu.Lock()
	l.account.Release(BudgetBuffers, recordsSize)
	return n, err
}

// gather returns what sends records together, nil without TLS. l.mu is held.
func (l *link) gather() *gatherer {
	if l.secured == nil {
		return nil
	}
	g, _ := l.secured.wire.gather.(*gatherer)
	return g
}

// writeFailed ends the connection for good. l.mu is held.
func (l *link) writeFailed(err error) {
	server := l.secured != nil && l.secured.server
	l.writeErr = newError("Write", l.conn.RemoteAddr(), StageWrite, nil, server, err)
	l.fail(l.writeErr)
}

// kick starts drain if there is something to send. l.mu is held.
func (l *link) kick() {
	if (l.out.n > 0 || l.ending && !l.ended) && !l.draining && l.writeErr == nil {
		l.draining = true
		go l.drain()
	}
}

// took is called after bytes were taken from in. l.mu is held.
func (l *link) took() {
	l.changed.Broadcast()
	if l.stalled {
		l.touch() // the peer couldn't send
	}
	if l.in.n == 0 {
		if !l.lent {
			l.in.release()
		}
		l.post(0) // what was held back
	}
}

// close ends the link. Output accepted before is still sent, for closeTimeout at
// most. l.mu is held.
func (l *link) close() {
	l.disown()
	l.closed = true
	l.cancel()
	l.changed.Broadcast()
	if !l.lent {
		l.in.drop(l.in.n)
		l.in.release()
	}
	if l.conn == nil {
		return
	}
	if l.out.n > 0 && l.writeErr == nil {
		l.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		l.kick()
		return // drain closes
	}
	if l.draining {
		// It sends the end, and a Read that is stuck in sending an alert may hold the
		// lock that crypto/tls wants for that.
		l.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		return // drain closes
	}
	if l.secured != nil {
		go l.conn.Close() // sends close_notify, which may wait for the peer
		return
	}
	l.conn.Close()
}

// disown takes the link from its owner for good. l.mu is held.
func (l *link) disown() {
	l.owner.leave(l)
	l.owner, l.events = nil, 0
	l.stopIdle()
	l.unref()
	if l.acceptor != nil {
		l.acceptor.forget(l)
	}
}

// unref ends what App.Wait waits for. l.mu is held.
func (l *link) unref() {
	if l.counted {
		l.counted = false
		l.app.dropRef()
	}
}

// moveTo makes o the owner. Events begin anew: what can be read or written now,
// and an end or error not yet delivered, are told to o. l.mu is held.
func (l *link) moveTo(o *instance) {
	l.owner.leave(l)
	l.owner, l.events = o, 0
	l.paused = false
	l.changed.Broadcast()
	l.stopIdle()
	l.renew()
}

// renew begins the events anew for an owner that was told of none. l.mu is held.
func (l *link) renew() {
	l.events = 0
	var e events
	if l.up && l.writeErr == nil {
		e |= evWritable
	}
	if l.in.n > 0 {
		e |= evReadable
	}
	if l.endErr != nil {
		e |= evEnd
	}
	if l.failure() != nil {
		e |= evError
	}
	l.post(e)
}

// detach takes the link from its owner, so that take can get at the connection.
// l.mu is held.
func (l *link) detach() {
	l.owner.moved = true
	l.disown()
	l.detached = true
	l.changed.Broadcast()
	if l.up {
		l.conn.SetReadDeadline(time.Unix(1, 0))
		l.kick()
	}
}

// take waits until a detached link is quiet (connected, all output sent) and
// returns its connection and the bytes that were read but not delivered. If ctx
// ends before, the connection is closed; so it is when the output is not sent within
// patience, unless that is 0.
func (l *link) take(ctx context.Context, patience time.Duration) (net.Conn, []byte, error) {
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		l.cancel()
		conn := l.conn
		l.mu.Unlock()
		if conn != nil {
			conn.Close() // not under mu: close_notify may wait for the peer
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.done && !l.telling {
		l.changed.Wait()
	}
	if l.draining && patience > 0 {
		l.conn.SetWriteDeadline(time.Now().Add(patience))
		defer l.conn.SetWriteDeadline(time.Time{})
	}
	for l.draining {
		l.changed.Wait()
	}
	if !stop() {
		if l.conn != nil {
			go l.conn.Close() // it may have come after ctx ended
		}
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
	if l.err != nil && len(unread) == 0 {
		l.conn.Close()
		return nil, nil, l.err
	}
	return l.conn, unread, nil
}
