package tlsio

import (
	"crypto/tls"
	"testing"
	"time"
)

// lapse lets the idle timeout of l pass in a callback, as far as l can tell.
func lapse(l *link) {
	l.mu.Lock()
	l.idle.last = time.Now().Add(-2 * l.idle.after)
	l.mu.Unlock()
	l.idleFired()
}

func fresh(l *link) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.idle.last) < l.idle.after
}

// A peer whose bytes wait because the reading goroutine is in a long callback isn't idle,
// neither during the callback nor right after it.
func TestNotIdleWhileReaderCalls(t *testing.T) {
	r := newRig(t)
	sock, peer := r.tlsPair(TLSClientOptions{IdleTimeout: limit}, func(c *tls.Config) { c.DynamicRecordSizingDisabled = true })
	l := sock.link.Load()
	type turn struct{ read, borrowed bool }
	turns := make(chan turn, 100)
	err := sock.Reload(Handlers[*TLS]{
		OnReadable: func(s *TLS, n int) {
			borrowed := byReader()
			if borrowed {
				lapse(l)
			}
			if _, err := s.ReadAvailable(); err != nil {
				t.Error(err)
			}
			if borrowed {
				lapse(l)
			}
			turns <- turn{true, borrowed}
		},
		OnTimeout: func(*TLS) { turns <- turn{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(limit); ; {
		if _, err := peer.Write(pattern(fullRecord)); err != nil {
			t.Fatal(err)
		}
		got := within(t, "callback", turns)
		if !got.read {
			t.Fatal("idle while bytes come")
		}
		if got.borrowed {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the reading goroutine calls no callback")
		}
	}
	r.do(func() {}) // behind what lapse may have led to
	select {
	case <-turns:
		t.Fatal("idle while the reading goroutine is in a callback")
	default:
	}
	wait(t, "the time of the callback isn't idle", func() bool { return fresh(l) })
}

// A peer that can't send because the program hasn't read for long isn't idle once it has.
func TestNotIdleWhileFull(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		s, peer := r.pair(secured, r.more(TCPOptions{IdleTimeout: limit}))
		i := s.socket()
		l := i.link.Load()
		if _, err := peer.Write(pattern(bufferSize)); err != nil {
			t.Fatal(err)
		}
		wait(t, "full", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.in.n == bufferSize && l.stalled
		})
		r.do(func() {
			lapse(l)
			if p, err := i.ReadAvailable(); len(p) != bufferSize || err != nil {
				t.Errorf("read %d bytes, %v", len(p), err)
			}
		})
		r.do(func() {}) // behind what lapse has led to
		for len(r.calls) > 0 {
			if c := <-r.calls; c.kind != "readable" {
				t.Errorf("%s, %v", c.kind, c.err)
			}
		}
		// Who doesn't read at all has the timeout.
		if _, err := peer.Write(pattern(bufferSize)); err != nil {
			t.Fatal(err)
		}
		wait(t, "full again", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.in.n == bufferSize && l.stalled
		})
		lapse(l)
		r.skipTo("timeout")
	})
}
