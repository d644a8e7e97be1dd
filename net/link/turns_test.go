package link

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// Who was away for long stays, so that others who compute don't delay each message.
func TestTurns(t *testing.T) {
	now := time.Unix(1000, 0)
	others := time.Microsecond // what others work each time
	yields := 0
	turns := turns{
		now:   func() time.Time { return now },
		yield: func() { yields++; now = now.Add(others) },
	}
	give := func(n int) int {
		before := yields
		for range n {
			turns.give()
		}
		return yields - before
	}
	if n := give(100); n != 100 {
		t.Errorf("of 100 turns %d were given, with nobody who takes long", n)
	}
	others = 40 * time.Millisecond
	if n := give(1000); n == 0 || n > measureEvery {
		t.Errorf("%d long turns were given before the first was found to be long", n)
	}
	now = now.Add(awayShare*others - time.Millisecond)
	if n := give(10); n != 0 {
		t.Error("given too early")
	}
	now = now.Add(time.Millisecond)
	if n := give(1000); n != 1 {
		t.Errorf("%d long turns were given, one after the other", n)
	}
	// In a minute of messages, with somebody who computes all the time.
	start, away := now, yields
	for now.Sub(start) < time.Minute {
		give(1)
		now = now.Add(100 * time.Microsecond)
	}
	if away := time.Duration(yields-away) * others; away > 5*time.Second {
		t.Errorf("away for %v of a minute", away)
	}
	others = time.Microsecond
	now = now.Add(time.Minute)
	if n := give(100); n != 100 {
		t.Errorf("of 100 turns %d were given when all was quiet again", n)
	}
}

// ledger is TCP as images have it, in a test: it notes what it is asked.
type ledger struct {
	log []string
	due map[*tcp.Endpoint]int // how often it owes
}

func (l *ledger) Owes(ep *tcp.Endpoint) bool { return l.due[ep] > 0 }
func (l *ledger) Settle(ep *tcp.Endpoint, id stack.TransportEndpointID) {
	l.due[ep]--
	l.log = append(l.log, fmt.Sprint("settle ", id.RemotePort))
}

// One turn is given for all connections, before anything is settled; what an answer has
// carried meanwhile, or is there twice, isn't.
func TestSettle(t *testing.T) {
	l := &ledger{due: map[*tcp.Endpoint]int{}}
	x := express{late: l}
	var debts []arrival
	for i := range uint16(4) {
		ep := new(tcp.Endpoint)
		l.due[ep] = 1
		debts = append(debts, arrival{to: ep, id: stack.TransportEndpointID{RemotePort: i}})
	}
	debts = append(debts, debts[1])
	x.turns.now = time.Now
	x.turns.yield = func() {
		l.log = append(l.log, "yield")
		l.due[debts[2].to] = 0
	}
	x.settle(debts)
	if got, want := strings.Join(l.log, ", "), "yield, settle 0, settle 1, settle 3"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, a := range debts {
		if a.to != nil {
			t.Error("a connection is kept")
		}
	}
	if x.late = nil; x.owes(new(tcp.Endpoint)) {
		t.Error("the stack as it is owes something")
	}
}
