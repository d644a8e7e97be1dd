package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/tally"
)

// below is the TCP connection of a client of either kind.
func below(c halves) *net.TCPConn {
	if b, ok := c.(interface{ NetConn() net.Conn }); ok {
		return b.NetConn().(*net.TCPConn)
	}
	return c.(*net.TCPConn)
}

// TestClientLeaves: whoever is gone while the server is away is not kept until
// ConnectTimeout, whether it had said something or not.
func TestClientLeaves(t *testing.T) {
	for _, kind := range []string{"terminate", "originate"} {
		t.Run(kind, func(t *testing.T) {
			to, stop := server(t, "127.0.0.1:0", echo)
			stop()
			var r *rig
			if kind == "terminate" {
				r = terminated(t, TerminateOptions{To: to, ConnectTimeout: endpoint.Off}, nil)
			} else {
				r = originated(t, OriginateOptions{To: to, Host: "localhost", ConnectTimeout: endpoint.Off}, nil)
			}
			all := 0
			for i, said := range []string{"", "hello", strings.Repeat("x", 30_000)} {
				c := r.dial(t)
				io.WriteString(c, said)
				all += len(said)
				r.wait(t, func(c *tally.Tally) bool {
					return c.Open.Load() == 1 && c.Received.Load() >= uint64(all) && (kind == "originate" || c.Handshakes.Load() == uint64(i+1))
				})
				below(c).SetLinger(0)
				below(c).Close()
				r.wait(t, func(c *tally.Tally) bool {
					return c.Open.Load() == 0 && c.Errors[tally.Broken].Load() == uint64(i+1)
				})
			}
			r.Log.Wait(t, `end=client .*err=`)
			if strings.Contains(r.Log.String(), "end=server") {
				t.Errorf("the log says\n%s", r.Log)
			}
		})
	}
}

// TestIdleWhileAway: IdleTimeout holds while a client waits, too.
func TestIdleWhileAway(t *testing.T) {
	to, stop := server(t, "127.0.0.1:0", echo)
	stop()
	r := terminated(t, TerminateOptions{To: to, ConnectTimeout: endpoint.Off, Options: endpoint.Options{IdleTimeout: 500 * time.Millisecond}}, nil)
	if got, err := io.ReadAll(r.dial(t)); err == nil {
		t.Errorf("a server that isn't there said %q", got)
	}
	r.wait(t, func(c *tally.Tally) bool { return c.Errors[tally.Idle].Load() == 1 && c.Open.Load() == 0 })
	r.Log.Wait(t, `end=client .*nothing came or went`)
}

// TestIdleAfterHalfClose: a client that has sent everything can't hold a connection whose
// server says nothing.
func TestIdleAfterHalfClose(t *testing.T) {
	both(t, waits, endpoint.Options{IdleTimeout: time.Second}, func(t *testing.T, r *rig) {
		c := r.dial(t)
		io.WriteString(c, "all that there is")
		c.CloseWrite()
		if _, err := io.ReadAll(c); err == nil {
			t.Error("an idle connection ended properly")
		}
		r.wait(t, func(c *tally.Tally) bool {
			return c.Errors[tally.Idle].Load() == 1 && c.Open.Load() == 0 && c.Errors[tally.Upstream].Load() == 0
		})
		r.Log.Wait(t, `in=17 .*nothing came or went`)
	})
}

// waits is a server that takes everything and never answers, until it is stopped.
func waits(c net.Conn) {
	io.Copy(io.Discard, c)
	for c.SetDeadline(time.Time{}) == nil {
		time.Sleep(10 * time.Millisecond)
	}
}

// A gate is a server that nothing gets to until it is opened.
type gate struct {
	bytes.Buffer
	open  chan struct{}
	err   error
	ended bool
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	if g.err != nil {
		return 0, g.err
	}
	return g.Buffer.Write(p)
}

func (g *gate) CloseWrite() error {
	g.ended = true
	return nil
}

// TestLate: what is written before there is a server gets to it first, whole, and the end
// of it behind; more than fits waits.
func TestLate(t *testing.T) {
	half := bytes.Repeat([]byte("a"), aheadMost/2)
	t.Run("in order", func(t *testing.T) {
		l, g := newLate(), &gate{open: make(chan struct{})}
		for range 2 {
			if n, err := l.Write(half); n != len(half) || err != nil {
				t.Fatal(n, err)
			}
		}
		third := make(chan error, 1)
		go func() {
			_, err := l.Write([]byte("behind"))
			third <- errors.Join(err, l.CloseWrite())
		}()
		started := make(chan error, 1)
		go func() { started <- l.start(g) }()
		select {
		case err := <-third:
			t.Errorf("a write has overtaken what was written before: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		close(g.open)
		if err := errors.Join(<-started, <-third); err != nil {
			t.Fatal(err)
		}
		if want := string(half) + string(half) + "behind"; g.String() != want || !g.ended {
			t.Errorf("%d bytes arrived of %d, or others; ended %v", g.Len(), len(want), g.ended)
		}
	})
	t.Run("ended before", func(t *testing.T) {
		l, g := newLate(), &gate{open: make(chan struct{})}
		close(g.open)
		l.Write([]byte("all"))
		l.CloseWrite()
		if g.ended {
			t.Error("ended before it has begun")
		}
		if err := l.start(g); err != nil || g.String() != "all" || !g.ended {
			t.Errorf("%q, %v, ended %v", &g.Buffer, err, g.ended)
		}
	})
	t.Run("fails", func(t *testing.T) {
		broken := errors.New("broken")
		l := newLate()
		l.Write(half)
		l.Write(half)
		third := make(chan error, 1)
		go func() {
			_, err := l.Write(half)
			third <- err
		}()
		l.fail(broken)
		if err := <-third; err != broken {
			t.Errorf("without a server: %v", err)
		}
		l, g := newLate(), &gate{open: make(chan struct{}), err: broken}
		close(g.open)
		l.Write(half)
		if err := l.start(g); err != broken {
			t.Errorf("a server that takes nothing: %v", err)
		}
		if _, err := l.Write(half); err != broken {
			t.Errorf("and then: %v", err)
		}
	})
}

// TestCalledOff: clients that leave don't make others wait for a server that is there.
func TestCalledOff(t *testing.T) {
	called := make(chan struct{}, 1)
	d := newDialer("there", func(ctx context.Context) (net.Conn, error) {
		called <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-called
		cancel()
	}()
	if _, err := d.connect(ctx, ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if away, pause, _ := d.state(); away || pause != 0 {
		t.Errorf("away %v, pause %v", away, pause)
	}
	// A server that doesn't answer is away.
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := d.connect(ctx, ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if away, _, _ := d.state(); !away {
		t.Error("a server that doesn't answer is not away")
	}
}
