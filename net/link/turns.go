package link

import (
	"runtime"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// An acknowledgement that TCP leaves for later is sent when those who read had a chance to
// answer: the receive goroutine gives way, once for all connections of a batch. While
// others compute for long it would be away for as long as all of them take, for each
// message anew. So it measures now and then how long it was away. After a long time it
// stays for awayShare times as long: what is owed is then sent right away.
const awayShare = 16

// shortTurn is how long others may take: half of what the runtime gives who computes.
const shortTurn = 5 * time.Millisecond

// measureEvery spares most turns to look at the clock.
const measureEvery = 8

// turns is how the receive goroutine gives way. The zero value gives way with
// runtime.Gosched.
type turns struct {
	count uint
	since time.Time // of the long time away; zero: the last one was short
	stay  time.Duration

	yield func()
	now   func() time.Time
}

// give lets others work, if they don't work for long.
func (t *turns) give() {
	yield, now := runtime.Gosched, time.Now
	if t.yield != nil {
		yield, now = t.yield, t.now
	}
	crowded := !t.since.IsZero()
	t.count++
	if !crowded && t.count%measureEvery != 0 {
		yield()
		return
	}
	start := now()
	if crowded && start.Sub(t.since) < t.stay {
		return
	}
	yield()
	t.since = time.Time{}
	if end := now(); end.Sub(start) > shortTurn {
		t.since, t.stay = end, awayShare*end.Sub(start)
	}
}

// owes reports whether a connection has an acknowledgement to send.
func (x *express) owes(ep *tcp.Endpoint) bool { return x.late != nil && x.late.Owes(ep) }

// settle sends what connections owe and nobody's answer has carried.
func (x *express) settle(debts []arrival) {
	x.turns.give()
	for i, a := range debts {
		if x.late.Owes(a.to) {
			x.late.Settle(a.to, a.id)
		}
		debts[i] = arrival{}
	}
}
