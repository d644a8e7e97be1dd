package bench

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ingot.dev/firmware/bench"
)

// A service is one of the firmware's that has both a TLS and a plaintext port.
type service struct {
	plain, tls int
	name       string
}

var (
	sinkService   = service{bench.PortSink, bench.PortTLSSink, "sink"}
	sourceService = service{bench.PortSource, bench.PortTLSSource, "source"}
	echoService   = service{bench.PortPlainEcho, bench.PortEcho, "echo"}

	// Relays; in the clear they are not there.
	toSinkService   = service{0, bench.PortToSink, "relay to a sink"}
	toSourceService = service{0, bench.PortToSource, "relay to a source"}
)

// on runs f on a new connection to a service. What came before f, the handshake
// for one, is not part of what is measured.
func (t *target) on(ctx context.Context, s service, secure bool, f func(halfCloser) error) error {
	port := s.plain
	if secure {
		port = s.tls
	}
	c, err := t.open(ctx, port, secure)
	if err == nil {
		defer c.Close()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		err = f(c)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// send has a sink receive n bytes and returns how long it took until the firmware
// said that it has them all.
func send(c halfCloser, n int64) (time.Duration, error) {
	start := time.Now()
	buf := make([]byte, 64<<10)
	for left := n; left > 0; {
		m, err := c.Write(buf[:min(left, int64(len(buf)))])
		if err != nil {
			return 0, fmt.Errorf("sending: %w", err)
		}
		left -= int64(m)
	}
	if err := c.CloseWrite(); err != nil {
		return 0, fmt.Errorf("sending: %w", err)
	}
	var answer [8]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return 0, fmt.Errorf("sending: no answer: %w", err)
	}
	if got := binary.BigEndian.Uint64(answer[:]); got != uint64(n) {
		return 0, fmt.Errorf("sent %d bytes, the firmware received %d", n, got)
	}
	return time.Since(start), nil
}

// receive has a source send n bytes.
func receive(c halfCloser, n int64) (time.Duration, error) {
	start := time.Now()
	if _, err := c.Write(binary.BigEndian.AppendUint64(nil, uint64(n))); err != nil {
		return 0, fmt.Errorf("receiving: %w", err)
	}
	got, err := io.CopyBuffer(writerOnly{io.Discard}, readerOnly{c}, make([]byte, 64<<10))
	if err != nil {
		return 0, fmt.Errorf("receiving: %w", err)
	}
	if got != n {
		return 0, fmt.Errorf("received %d bytes of %d", got, n)
	}
	return time.Since(start), nil
}

// readerOnly and writerOnly hide what io.Copy would prefer to its buffer.
type (
	readerOnly struct{ io.Reader }
	writerOnly struct{ io.Writer }
)

// echo sends messages of a size one by one and returns the time that each took
// to come back.
func echo(c net.Conn, size, times int) ([]time.Duration, error) {
	out, back := make([]byte, size), make([]byte, size)
	took := make([]time.Duration, 0, times)
	for i := range times {
		binary.BigEndian.PutUint32(out, uint32(i))
		start := time.Now()
		if _, err := c.Write(out); err != nil {
			return nil, fmt.Errorf("echo %d: %w", i, err)
		}
		if _, err := io.ReadFull(c, back); err != nil {
			return nil, fmt.Errorf("echo %d: %w", i, err)
		}
		took = append(took, time.Since(start))
		if string(back) != string(out) {
			return nil, fmt.Errorf("echo %d came back changed", i)
		}
	}
	return took, nil
}

// handshakes completes n full handshakes with the echo service, so many at once,
// and returns how long it took from the first connect to the last handshake.
// More than two at once would meet QEMU's backlog of one, which costs a second
// each time that it is full.
func (t *target) handshakes(ctx context.Context, config *tls.Config, n, atOnce int) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(n))
	var group sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	start := time.Now()
	for range atOnce {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				c, err := t.secure(ctx, bench.PortEcho, config)
				if err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
					return
				}
				// Not tls.Conn.Close, which would wait to send an alert.
				c.NetConn().Close()
			}
		})
	}
	group.Wait()
	return time.Since(start), errors.Join(errs...)
}

// resumptions is handshakes one after another, each resuming the first's session.
func (t *target) resumptions(ctx context.Context, n int) (time.Duration, error) {
	config, err := t.session(ctx)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	err = t.resume(ctx, config, n)
	return time.Since(start), err
}

// session makes a full handshake and returns a configuration that resumes it.
func (t *target) session(ctx context.Context) (*tls.Config, error) {
	config := t.tls.Clone()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	_, err := t.ticket(ctx, config)
	return config, err
}

// ticket makes a handshake and waits for the ticket that resumes it.
func (t *target) ticket(ctx context.Context, config *tls.Config) (resumed bool, err error) {
	c, err := t.secure(ctx, bench.PortEcho, config)
	if err != nil {
		return false, err
	}
	defer c.NetConn().Close()
	// The ticket for the next time comes behind the handshake (RFC 8446
	// section 4.6.1): one echo reads it.
	_, err = echo(c, 8, 1)
	return c.ConnectionState().DidResume, err
}

// resume makes n handshakes one after another that resume a session.
func (t *target) resume(ctx context.Context, config *tls.Config, n int) error {
	for i := range n {
		resumed, err := t.ticket(ctx, config)
		if err != nil {
			return err
		}
		if !resumed {
			return fmt.Errorf("handshake %d was full, not resumed", i+1)
		}
	}
	return nil
}

// hold opens n TLS connections to the echo service that takes any number, one after another.
func (t *target) hold(ctx context.Context, n int) (_ []*tls.Conn, err error) {
	var conns []*tls.Conn
	defer func() {
		if err != nil {
			closeAll(conns)
		}
	}()
	for i := range n {
		c, err := t.secure(ctx, bench.PortHeld, nil)
		if err != nil {
			return nil, fmt.Errorf("connection %d of %d to hold: %w", i+1, n, err)
		}
		c.SetDeadline(time.Time{})
		conns = append(conns, c)
	}
	return conns, nil
}

func closeAll(conns []*tls.Conn) {
	for _, c := range conns {
		c.NetConn().Close()
	}
}
