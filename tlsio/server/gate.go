package server

import (
	"sync"
	"time"

	"ingot.dev/tlsio"
)

// gate limits the handshakes under way. When they are too many, whoever has been
// silent since connecting makes room once a round trip's time has passed, and
// whoever takes very long a little later: the rules of tlsio's listener.
type gate struct {
	mu      sync.Mutex
	limit   int
	under   []*Connection // oldest first
	changed chan struct{}
}

const (
	silentGrace = 250 * time.Millisecond
	activeGrace = 2 * time.Second
)

// enter waits until c's handshake may begin, or its connection ends (false).
func (g *gate) enter(c *Connection) bool {
	for {
		g.mu.Lock()
		limit := g.limit
		if limit == 0 {
			limit = tlsio.DefaultMaxHandshakes
		}
		if len(g.under) < limit {
			c.start = time.Now()
			c.transport.gotBytes.Store(false)
			g.under = append(g.under, c)
			g.mu.Unlock()
			return true
		}
		victim, wait := g.victim()
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		changed := g.changed
		g.mu.Unlock()
		if victim != nil {
			victim.evict()
		}
		t := time.NewTimer(wait)
		select {
		case <-changed:
		case <-t.C:
		case <-c.ctx.Done():
			t.Stop()
			return false
		}
		t.Stop()
	}
}

// victim returns who must make room, or nil and when to look again. g.mu is held.
func (g *gate) victim() (*Connection, time.Duration) {
	now := time.Now()
	wait := activeGrace
	for _, silent := range []bool{true, false} {
		for _, c := range g.under {
			if c.transport.gotBytes.Load() == silent {
				continue
			}
			grace := activeGrace
			if silent {
				grace = silentGrace
			}
			left := grace - now.Sub(c.start)
			if left <= 0 && c.ctx.Err() == nil {
				return c, activeGrace
			}
			wait = min(wait, max(left, time.Millisecond))
		}
	}
	return nil, wait
}

func (g *gate) leave(c *Connection) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, u := range g.under {
		if u == c {
			g.under = append(g.under[:i], g.under[i+1:]...)
			break
		}
	}
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

// evict ends a handshake in favour of another.
func (c *Connection) evict() {
	c.mu.Lock()
	c.evicted = true
	c.mu.Unlock()
	c.breakOff(newError("Connected", c.id, tlsio.ErrEvicted))
}
