package link

import (
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// All that isn't a bare acknowledgement may want an answer.
func TestAsking(t *testing.T) {
	arp := append(append(append([]byte{}, macB...), macA...), 8, 6)
	udp := segment{flags: ack}.frame()
	udp[ipStart+9] = 17
	udp6 := segment{v6: true, flags: ack}.frame()
	udp6[ipStart+6] = 17
	options := segment{flags: ack}.frame()
	options[ipStart] = 0x46
	for name, tt := range map[string]struct {
		frame []byte
		want  bool
	}{
		"acknowledgement":           {segment{flags: ack}.frame(), false},
		"with timestamps":           {segment{flags: ack, options: timestamp}.frame(), false},
		"with SACK":                 {segment{flags: ack, options: sack}.frame(), false},
		"IPv6":                      {segment{v6: true, flags: ack, options: timestamp}.frame(), false},
		"a byte":                    {segment{flags: ack, data: "x"}.frame(), true},
		"a byte, IPv6":              {segment{v6: true, flags: ack, options: timestamp, data: "x"}.frame(), true},
		"data":                      {segment{flags: ack | psh, options: timestamp, data: "some data that is longer"}.frame(), true},
		"request for a connection":  {segment{flags: syn}.frame(), true},
		"end of one":                {segment{flags: ack | fin}.frame(), true},
		"congestion":                {segment{flags: ack | ece}.frame(), true},
		"IP options":                {options, true},
		"UDP":                       {udp, true},
		"UDP, IPv6":                 {udp6, true},
		"ARP":                       {append(arp, make([]byte, 46)...), true},
		"header alone":              {arp, true},
		"cut short":                 {segment{flags: ack}.frame()[:40], true},
		"IPv6, cut short":           {segment{v6: true, flags: ack}.frame()[:60], true},
		"a longer header than data": {append(segment{flags: ack}.frame()[:46], 0xf0, ack, 0, 0, 0, 0, 0, 0), true},
	} {
		if got := asking(tt.frame); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// glass is a port whose ring can be looked into.
type glass struct {
	port
	frames [][]byte
	woken  int
}

func (g *glass) PeekRx(want func([]byte) bool) bool {
	for _, f := range g.frames {
		if want(f) {
			g.woken++
			return true
		}
	}
	return false
}

// Who waits for the processor is a frame that asks for something, or a sender that found the
// ring taken; that one counts once.
func TestUrgent(t *testing.T) {
	g := &glass{port: port{ring: 8}}
	e := New(g, Options{})
	if e.Urgent() {
		t.Error("urgent, with nothing there")
	}
	g.frames = [][]byte{segment{flags: ack}.frame(), segment{flags: ack, options: timestamp}.frame()}
	if e.Urgent() || g.woken != 0 {
		t.Error("acknowledgements are urgent")
	}
	g.frames = append(g.frames, segment{flags: ack | psh, data: "hello"}.frame())
	if !e.Urgent() || g.woken != 1 {
		t.Error("data isn't urgent")
	}
	g.frames = nil

	for name, send := range map[string]func(){
		"packets": func() {
			var l stack.PacketBufferList
			l.PushBack(large(false, ack, 1448, []byte("hello")))
			e.WritePackets(l)
		},
		"segments": func() {
			e.WriteSegments(0, segment{flags: ack}.frame()[:v4Payload+20], 20, nil, 1448, 1, 1, ack, 9)
		},
	} {
		frames := e.Stats().TxFrames
		e.tx.mu.Lock()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			send()
		}()
		for end := time.Now().Add(time.Minute); !e.tx.late.Load(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: a sender that waits isn't noticed", name)
			}
		}
		e.tx.mu.Unlock()
		if !e.Urgent() || e.Urgent() {
			t.Errorf("%s: a sender that had to wait isn't urgent once", name)
		}
		<-sent
		if e.Stats().TxFrames != frames+1 {
			t.Errorf("%s: nothing was sent", name)
		}
	}

	if plain := New(&port{}, Options{}); plain.Urgent() {
		t.Error("a port that can't be looked into is urgent")
	}
	if n := testing.AllocsPerRun(100, func() { e.Urgent() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
