package netstack

import (
	"testing"
	"time"
)

// The stack's clock goes as others do, and not back.
func TestMonotonicClock(t *testing.T) {
	c := newClock()
	start, last := time.Now(), c.NowMonotonic()
	first := last
	for range 1000 {
		now := c.NowMonotonic()
		if now.Before(last) {
			t.Fatal("it goes back")
		}
		last = now
	}
	time.Sleep(20 * time.Millisecond)
	least := time.Since(start) // before, so that what comes between makes it no longer
	if d := c.NowMonotonic().Sub(first); d < least-time.Millisecond || d < 20*time.Millisecond || d > time.Since(start)+time.Millisecond {
		t.Errorf("%v, where others say %v", d, least)
	}
	if now := c.Now(); now.Before(start) {
		t.Errorf("the time of day is %v, after %v", now, start)
	}
}
