package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"ingot.dev/firmware/bench"
	"ingot.dev/qemu/peer"
)

// A target is a running benchmark firmware, wherever that is.
type target struct {
	dial func(ctx context.Context, port int) (net.Conn, error)
	tls  *tls.Config // verifies the firmware's certificate

	disturb func(peer.Faults) // the wire that dial leads over; nil if it can't be
}

// exchangeLimit bounds everything that is done over one connection, so that a
// firmware that hangs ends a benchmark with an error.
const exchangeLimit = 2 * time.Minute

// plain connects to a service in the clear.
func (t *target) plain(ctx context.Context, port int) (net.Conn, error) {
	c, err := t.dial(ctx, port)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(exchangeLimit))
	return c, nil
}

// secure connects to a TLS service; config may be nil for the target's own.
func (t *target) secure(ctx context.Context, port int, config *tls.Config) (*tls.Conn, error) {
	raw, err := t.plain(ctx, port)
	if err != nil {
		return nil, err
	}
	if config == nil {
		config = t.tls
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS handshake with port %d: %w", port, err)
	}
	return c, nil
}

// open connects to a service, over TLS or not.
func (t *target) open(ctx context.Context, port int, secure bool) (halfCloser, error) {
	if secure {
		return t.secure(ctx, port, nil)
	}
	c, err := t.plain(ctx, port)
	if err != nil {
		return nil, err
	}
	h, ok := c.(halfCloser)
	if !ok {
		c.Close()
		return nil, errors.New("the connection can't be closed for writing only")
	}
	return h, nil
}

// A halfCloser is a connection whose sending side can be ended.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// A control is a control connection. Its requests may come from any goroutine.
type control struct {
	mu   sync.Mutex
	conn net.Conn
	in   *bufio.Reader
}

func (t *target) control(ctx context.Context) (*control, error) {
	c, err := t.secure(ctx, bench.PortControl, nil)
	if err != nil {
		return nil, err
	}
	return &control{conn: c, in: bufio.NewReader(c)}, nil
}

func (c *control) Close() error { return c.conn.Close() }

// controlLimit bounds a request: collecting the garbage of thousands of connections takes
// its time on a host that is busy.
const controlLimit = 10 * time.Minute

func (c *control) ask(r bench.Request) (a bench.Answer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := time.Now()
	c.conn.SetDeadline(asked.Add(controlLimit))
	b, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	if _, err := c.conn.Write(append(b, '\n')); err != nil {
		return a, fmt.Errorf("control connection: asking for %q: %w", r.Op, err)
	}
	line, err := c.in.ReadBytes('\n')
	if err != nil {
		return a, fmt.Errorf("control connection: %q has no answer after %v: %w", r.Op, time.Since(asked).Round(time.Millisecond), err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("control connection: %w", err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("the firmware refuses %s: %s", r.Op, a.Error)
	}
	return a, nil
}

// status collects garbage, so that what is counted is in use, and returns the
// status.
func (c *control) status() (bench.Status, error) {
	a, err := c.ask(bench.Request{Op: "gc"})
	if err == nil && a.Status == nil {
		err = errors.New("the firmware's status is missing")
	}
	if err != nil {
		return bench.Status{}, err
	}
	return *a.Status, nil
}

// errNoCounters says that the firmware doesn't run on Ingot's kernel.
var errNoCounters = errors.New("the firmware has no kernel counters")

// busy returns for how long the guest was not idle since it started.
func (c *control) busy() (time.Duration, error) {
	a, err := c.ask(bench.Request{Op: "counters"})
	if err != nil {
		return 0, err
	}
	up, ok1 := a.Counters["uptime_ns"]
	idle, ok2 := a.Counters["idle_ns"]
	if !ok1 || !ok2 || idle > up {
		return 0, errNoCounters
	}
	return time.Duration(up - idle), nil
}
