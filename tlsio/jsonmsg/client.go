package jsonmsg

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"ingot.dev/tlsio"
)

// Client keeps a connection to a Server, and makes a new one when it is lost, if
// ReconnectInterval says so. Its methods may be called from any goroutine, in
// handlers too.
type Client struct {
	terms
	options        ClientOptions
	network        tlsio.Network
	address        string
	tls            tlsio.TLSOptions
	first          []byte // the line with the password
	connectTimeout time.Duration
	retry          backoff

	events inbox
	ids    atomic.Uint64
	cancel context.CancelFunc
	done   chan struct{} // closed when no further attempt will be made
	wg     sync.WaitGroup

	mu      sync.Mutex
	current *session      // nil while there is no connection
	changed chan struct{} // closed when the state changes; replaced then
	last    error         // why the last connection or attempt ended
}

// NewClient makes a client, which begins to connect at once and tells its handlers
// what comes of it; Ready waits for that. All wrong options are reported at once,
// as *tlsio.OptionError joined in a *tlsio.Error.
func NewClient(network tlsio.Network, options ClientOptions) (*Client, error) {
	c := &Client{
		options: options,
		network: network,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	if err := options.check(c); err != nil {
		return nil, err
	}
	c.options.TLS, c.options.Password = tlsio.TLSOptions{}, nil // used up
	c.events = inbox{handle: c.handle, limit: c.maxQueue, wg: &c.wg}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.wg.Add(1)
	go c.run(ctx)
	return c, nil
}

// Dial is NewClient and Ready in one. When it fails, nothing is left behind.
func Dial(ctx context.Context, network tlsio.Network, options ClientOptions) (*Client, error) {
	c, err := NewClient(network, options)
	if err != nil {
		return nil, err
	}
	if err := c.Ready(ctx); err != nil {
		c.Disconnect()
		return nil, err
	}
	return c, nil
}

// Ready returns nil as soon as the client is authenticated. Without
// ReconnectInterval it returns why it is not; with it, it waits for later attempts,
// until ctx ends: then the error is ctx's, and that of the last attempt.
func (c *Client) Ready(ctx context.Context) error {
	for {
		c.mu.Lock()
		s, changed, last := c.current, c.changed, c.last
		c.mu.Unlock()
		if s.isOpen() {
			return nil
		}
		select {
		case <-changed:
		case <-c.done:
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.last == nil {
				return ErrNotConnected
			}
			return c.last
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		}
	}
}

// isOpen reports whether s is there and authenticated.
func (s *session) isOpen() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// change replaces the current session and wakes those in Ready. last is why there
// is none; until a new one is authenticated, it stays.
func (c *Client) change(s *session, last error) {
	c.mu.Lock()
	c.current = s
	if last != nil || s.isOpen() {
		c.last = last
	}
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
}

// run connects, serves the connection, and connects again.
func (c *Client) run(ctx context.Context) {
	defer c.wg.Done()
	defer close(c.done)
	n := 0 // attempts since the last authenticated connection; 0 is the first of all
	for again := false; ; again = true {
		if again {
			n++
			c.events.post(event{kind: eventReconnect, count: n})
		}
		if c.once(ctx, again) {
			n = 0
		}
		if ctx.Err() != nil {
			c.change(nil, ErrDisconnected)
			return
		}
		if c.retry.interval == 0 {
			return
		}
		t := time.NewTimer(c.retry.pause(n, rand.Float64()))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			c.change(nil, ErrDisconnected)
			return
		}
	}
}

// once makes one connection and serves it until it ends. It reports whether the
// client was authenticated.
func (c *Client) once(ctx context.Context, again bool) bool {
	conn, err := c.connect(ctx)
	if err != nil {
		c.change(nil, err)
		if ctx.Err() != nil {
			err = ErrDisconnected
		}
		if e, ok := errors.AsType[*tlsio.Error](err); !again && err != ErrDisconnected ||
			ok && e.Stage != tlsio.StageResolve && e.Stage != tlsio.StageConnect {
			c.events.post(event{kind: eventError, err: err})
		}
		if !again {
			c.events.post(event{kind: eventClose, err: err})
		}
		return false
	}
	s := &session{terms: &c.terms, conn: conn, side: c, inbox: &c.events, ids: &c.ids}
	s.start()
	c.change(s, nil)
	stop := context.AfterFunc(ctx, func() { s.end(ErrDisconnected) })
	defer stop()
	if err := s.put(c.first); err != nil {
		s.end(err)
	}
	s.run()
	cause := s.ending()
	if s.refused && cause != ErrDisconnected {
		cause = ErrIncorrectPassword
	}
	last := cause
	if last == nil {
		last = ErrConnectionLost
	}
	c.change(nil, last)
	if reportable(cause) {
		c.events.post(event{kind: eventError, from: s, err: cause})
	}
	c.events.post(event{kind: eventClose, from: s, err: cause})
	return s.phase == clientOpen
}

func (c *Client) connect(ctx context.Context) (*tlsio.Conn, error) {
	if c.connectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.connectTimeout)
		defer cancel()
	}
	conn, err := tlsio.Dial(ctx, c.network, c.address, c.tls)
	if err != nil {
		return nil, err
	}
	return conn.(*tlsio.Conn), nil
}

// password implements side; servers don't send any.
func (c *Client) password(*session, []byte) error { return nil }

// accepted implements side.
func (c *Client) accepted(s *session) {
	c.change(s, nil)
	c.events.post(event{kind: eventAuthenticated, from: s})
}

// handle calls the handler of an event.
func (c *Client) handle(e event) {
	o := &c.options
	switch e.kind {
	case eventAuthenticated:
		if o.OnAuthenticated != nil {
			o.OnAuthenticated(c)
		}
	case eventMessage:
		if e.in.kind == request {
			if o.OnRequest != nil {
				o.OnRequest(c, e.in.body, &Responder{s: e.from, id: e.in.id})
			}
		} else if o.OnMessage != nil {
			o.OnMessage(c, e.in.body)
		}
	case eventError:
		if o.OnError != nil {
			o.OnError(c, e.err)
		} else if p, ok := e.err.(*PanicError); ok {
			log.Printf("%v\n%s", p, p.Stack)
		}
	case eventReconnect:
		if o.OnReconnectAttempt != nil {
			o.OnReconnectAttempt(c, e.count)
		}
	case eventClose:
		if o.OnClose != nil {
			o.OnClose(c, e.err)
		}
	}
}

// session returns the current session.
func (c *Client) session() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return nil, ErrNotConnected
	}
	return c.current, nil
}

// Send queues v for the server and returns; see Server.Send. While there is no
// authenticated connection it fails with ErrNotConnected. What was sent on a
// connection that is lost is not sent again on the next.
func (c *Client) Send(v any) error {
	s, err := c.session()
	if err != nil {
		return err
	}
	line, err := encode(v, c.maxMessage)
	if err != nil {
		return err
	}
	return s.send(line)
}

// Request sends v, an object, to the server and returns its answer; see
// Server.Request.
func (c *Client) Request(ctx context.Context, v any) (json.RawMessage, error) {
	s, err := c.session()
	if err != nil {
		return nil, err
	}
	return s.request(ctx, v)
}

// Flush waits until all that was sent so far is given to the transport.
func (c *Client) Flush(ctx context.Context) error {
	s, err := c.session()
	if err != nil {
		return err
	}
	return s.flush(ctx)
}

// Stats returns counts. Clients is 1 while there is a connection.
func (c *Client) Stats() Stats {
	t := c.snapshot()
	if s, err := c.session(); err == nil {
		t.Clients = 1
		if s.isOpen() {
			t.Authenticated = 1
		}
	}
	return t
}

// Disconnect ends the connection and all attempts to make another, and returns
// when that is done; handlers may still be running, and OnClose follows. What is
// not sent yet is dropped; Flush waits for it.
func (c *Client) Disconnect() {
	c.cancel()
	<-c.done
}

// Close is Disconnect, for those who want an io.Closer. It returns nil.
func (c *Client) Close() error {
	c.Disconnect()
	return nil
}

// Done is closed when there is no connection and no further attempt will be made.
func (c *Client) Done() <-chan struct{} { return c.done }

// backoff computes the pauses between attempts.
type backoff struct {
	interval, most time.Duration
	jitter         float64 // the part of a pause that is random
}

// pause returns the pause after n failed attempts. random is from 0 to 1.
func (b backoff) pause(n int, random float64) time.Duration {
	d := b.interval
	for ; n > 0 && d < b.most; n-- {
		d = min(2*d, b.most)
		if d < 0 {
			d = b.most
		}
	}
	return d - time.Duration(float64(d)*b.jitter*random)
}
