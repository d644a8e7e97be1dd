package netstack_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// TCP flags (RFC 9293 §3.1).
const (
	tcpFIN, tcpSYN, tcpRST, tcpPSH, tcpACK, tcpURG, tcpECE = 1, 2, 4, 8, 16, 32, 64
)

// peerMSS is the longest payload that the peer sends and takes.
const peerMSS = 1000

// stream is the byte at a position of what a connection's peer, or its stack, sends.
func stream(seed, pos uint32) byte { return byte((pos*2654435761 + seed) >> 13) }

// talker is the peer of one connection, made by hand: it sends any segments, and notes what
// the stack says.
type talker struct {
	port      uint16
	isn, back uint32 // first sequence numbers: its own, the stack's
	stamps    bool   // RFC 7323
	stamp     uint32
	echo      atomic.Uint32 // the stack's last stamp

	sent     uint32 // bytes that the stack can have, without a hole
	got      uint32 // bytes that the stack has sent, without a hole
	acked    uint32 // bytes of sent that the stack has acknowledged
	window   uint32 // bytes behind acked that the stack takes
	shift    uint8
	acks     int // segments that came
	finished bool
	problem  string
}

// talk is the port's other end, with all of its talkers.
type talk struct {
	raw
	mu      sync.Mutex
	changed *sync.Cond
	talkers map[uint16]*talker
	mac     []byte // the stack's
}

// receive takes a frame of the stack.
func (k *talk) hear(f []byte) {
	if len(f) < 34 || f[12] != 8 || f[13] != 0 || f[23] != 6 || f[14] != 0x45 {
		if len(f) >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 1 { // ARP: who has
			k.send(arpReply(f))
		}
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	end := 14 + int(binary.BigEndian.Uint16(f[16:]))
	tcp := f[34:min(end, len(f))]
	c := k.talkers[binary.BigEndian.Uint16(tcp[2:])]
	if c == nil || end > len(f) {
		return
	}
	c.hear(tcp, nictest.ChecksumsOK(f))
	k.changed.Broadcast()
}

func (c *talker) hear(tcp []byte, right bool) {
	fail := func(format string, args ...any) {
		if c.problem == "" {
			c.problem = fmt.Sprintf(format, args...)
		}
	}
	seq, ack, flags := binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:]), tcp[13]
	size := int(tcp[12]>>4) * 4
	if !right {
		fail("a wrong checksum")
	}
	c.acks++
	for o := tcp[20:size]; len(o) > 1; {
		switch n := int(o[1]); {
		case o[0] == 1:
			o = o[1:]
			continue
		case o[0] == 3 && flags&tcpSYN != 0:
			c.shift = o[2]
			o = o[n:]
		case o[0] == 8:
			c.echo.Store(binary.BigEndian.Uint32(o[2:]))
			o = o[n:]
		default:
			o = o[n:]
		}
	}
	switch {
	case flags&tcpRST != 0:
		fail("a reset")
		return
	case flags&tcpSYN != 0:
		if c.back == 0 { // not sent again
			c.back = seq + 1
		}
		return
	}
	acked := ack - c.isn - 1
	if c.finished && acked == c.sent+1 { // the FIN
		acked--
	}
	shift := c.shift
	window := uint32(binary.BigEndian.Uint16(tcp[14:])) << shift
	switch {
	case int32(acked-c.sent) > 0:
		fail("%d bytes were acknowledged, of %d that were sent without a hole", acked, c.sent)
	case int32(acked+window-(c.acked+c.window)) < -int32(1)<<shift:
		fail("the window's end moved from %d to %d", c.acked+c.window, acked+window)
	case int32(acked-c.acked) >= 0:
		c.acked, c.window = acked, window
	}
	pos := seq - c.back
	for i, b := range tcp[size:] {
		if b != stream(uint32(c.port)+1, pos+uint32(i)) {
			fail("byte %d of the stack's is wrong", pos+uint32(i))
			break
		}
	}
	if n := uint32(len(tcp) - size); int32(pos-c.got) <= 0 && int32(pos+n-c.got) > 0 {
		c.got = pos + n
	}
}

// arpReply answers a request with the address that it asks for.
func arpReply(f []byte) []byte {
	r := append(append([]byte(nil), f[6:12]...), 2, 0, 0, 0, 0, 0x0a, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x0a)
	r = append(append(r, f[38:42]...), f[22:32]...)
	return append(r, make([]byte, 60-len(r))...)
}

// segment returns a frame of the connection: bytes pos to pos+n of the stream, or others if
// they are to be wrong.
func (c *talker) segment(mac []byte, flags byte, pos, n, ack uint32, window uint16, wrong bool) []byte {
	options := []byte(nil)
	if flags&tcpSYN != 0 && flags&tcpACK == 0 {
		options = []byte{2, 4, peerMSS >> 8, peerMSS & 0xff, 1, 3, 3, 2, 1, 1, 4, 2}
	}
	if c.stamps {
		options = append(options, 1, 1, 8, 10)
		options = binary.BigEndian.AppendUint32(options, c.stamp)
		options = binary.BigEndian.AppendUint32(options, c.echo.Load())
	}
	f := append(append([]byte(nil), mac...), 2, 0, 0, 0, 0, 0x0a, 8, 0, 0x45, 0)
	f = binary.BigEndian.AppendUint16(f, uint16(40+len(options)+int(n)))
	f = append(f, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2)
	f = binary.BigEndian.AppendUint16(f, c.port)
	f = append(f, 0x1f, 0x90)
	f = binary.BigEndian.AppendUint32(f, c.isn+1+pos)
	f = binary.BigEndian.AppendUint32(f, ack)
	f = append(f, byte(20+len(options))<<2, flags)
	f = binary.BigEndian.AppendUint16(f, window)
	f = append(f, 0, 0, 0, 0)
	f = append(f, options...)
	for i := range n {
		b := stream(uint32(c.port), pos+i)
		if wrong {
			b ^= 0x55
		}
		f = append(f, b)
	}
	for len(f) < 60 {
		f = append(f, 0xee)
	}
	nictest.InsertChecksums(f)
	return f
}

// put sends a frame as it is. Together they must fit in the ring of a port that is held.
func (k *talk) put(f []byte) {
	k.raw.mu.Lock()
	defer k.raw.mu.Unlock()
	k.end.CommitTx(copy(k.end.TxSlot(), f))
	k.end.FlushTx()
}

// wait waits until f holds, which looks at talkers.
func (k *talk) wait(t *testing.T, what string, f func() bool) {
	t.Helper()
	late := time.AfterFunc(limit, k.changed.Broadcast)
	defer late.Stop()
	end := time.Now().Add(limit)
	k.mu.Lock()
	defer k.mu.Unlock()
	for !f() {
		if !time.Now().Before(end) {
			t.Errorf("%s: not in %v", what, limit)
			return
		}
		k.changed.Wait()
	}
	for _, c := range k.talkers {
		if c.problem != "" {
			t.Errorf("%s: connection %d: %s", what, c.port, c.problem)
			c.problem = ""
		}
	}
}

// Whatever segments come, legal or not, in whatever order and batches: the program reads the
// peer's bytes and no others, what came without a hole is acknowledged without anything
// more happening, and never more than that. It holds for the stack as it is and for the one that
// images have; the same seed is the same frames.
func TestAnySegments(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { anySegments(t, seed) })
	}
}

func anySegments(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 9293))
	o := nictest.WireOptions{}
	if seed%2 == 1 {
		o.Offloads.RxChecksum = true
	}
	ours, theirs := nictest.Pipe(o)
	gate := newHeld(theirs)
	s := open(t, gate, netstack.Config{Address: netip.MustParsePrefix(addrB + "/24"), NoIPv6: true})
	k := &talk{raw: raw{end: ours}, talkers: map[uint16]*talker{}, mac: theirs.HardwareAddr()}
	k.changed = sync.NewCond(&k.mu)
	heard := make(chan struct{})
	go func() { k.receive(k.hear); close(heard) }()
	defer func() { ours.Close(); <-heard }()
	l, err := s.Listen(testContext(t), "tcp4", ":8080")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	const conns = 4
	var readers sync.WaitGroup
	defer readers.Wait() // after they are closed
	var all []*talker
	var ends []*netstack.Conn
	total := make(chan int, conns) // bytes that each program has read
	pauses := make([]sync.Mutex, conns)
	for i := range uint16(conns) {
		c := &talker{port: 20000 + 64*uint16(r.IntN(8)) + i/2, isn: r.Uint32(), stamps: r.IntN(2) == 0, stamp: r.Uint32()}
		for k.talkers[c.port] != nil {
			c.port += 2
		}
		if r.IntN(2) == 0 {
			c.isn = -uint32(r.IntN(50000)) // whose numbers start again soon
		}
		k.mu.Lock()
		k.talkers[c.port] = c
		k.mu.Unlock()
		k.put(c.segment(k.mac, tcpSYN, 0xffffffff, 0, 0, 0x4000, false))
		k.wait(t, "the answer to SYN", func() bool { return c.back != 0 })
		k.put(c.segment(k.mac, tcpACK, 0, 0, c.back, 0x4000, false))
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		end := conn.(*netstack.Conn)
		defer end.Close()
		all, ends = append(all, c), append(ends, end)
		readers.Go(func() { // the program: it reads, and checks
			pos := 0
			buf := make([]byte, 3000)
			for {
				pauses[i].Lock()
				pauses[i].Unlock()
				n, err := end.Read(buf)
				for j, b := range buf[:n] {
					if b != stream(uint32(c.port), uint32(pos+j)) {
						t.Errorf("connection %d: byte %d is wrong", c.port, pos+j)
						break
					}
				}
				pos += n
				if err != nil {
					if err != io.EOF && !t.Failed() {
						t.Errorf("connection %d: %v", c.port, err)
					}
					total <- pos
					return
				}
			}
		})
	}

	written := make([]uint32, conns)
	ahead := make([]map[uint32]uint32, conns) // pieces behind a hole
	for i := range ahead {
		ahead[i] = map[uint32]uint32{}
	}
	// advance notes that bytes pos to pos+n have been sent.
	advance := func(i int, pos, n uint32) {
		c := all[i]
		ahead[i][pos] = max(ahead[i][pos], n)
		k.mu.Lock()
		defer k.mu.Unlock()
		for moved := true; moved; {
			moved = false
			for pos, n := range ahead[i] {
				if pos <= c.sent && pos+n > c.sent {
					c.sent, moved = pos+n, true
				}
			}
		}
	}
	for range 60 {
		gate.hold()
		for range 1 + r.IntN(30) { // frames: four times as many fit
			i := r.IntN(conns)
			c := all[i]
			k.mu.Lock()
			sent, ack := c.sent, c.back+c.got
			k.mu.Unlock()
			if r.IntN(3) == 0 {
				c.stamp++
			}
			flags := byte(tcpACK)
			if r.IntN(3) == 0 {
				flags |= tcpPSH
			}
			n := uint32(1 + r.IntN(peerMSS-12))
			window := uint16(0x4000)
			if r.IntN(10) == 0 {
				window = uint16(r.IntN(3000)) // a window that shrinks
			}
			switch r.IntN(20) {
			default: // the next one
				advance(i, sent, n)
				k.put(c.segment(k.mac, flags, sent, n, ack, window, false))
			case 0: // again, from somewhere before
				pos := sent - min(sent, uint32(r.IntN(5000)))
				advance(i, pos, n)
				k.put(c.segment(k.mac, flags, pos, n, ack, window, false))
			case 1: // leaves a hole
				pos := sent + uint32(1+r.IntN(4000))
				advance(i, pos, n)
				k.put(c.segment(k.mac, flags, pos, n, ack, window, false))
			case 2: // an acknowledgement, perhaps the same again
				for range 1 + r.IntN(4) {
					k.put(c.segment(k.mac, tcpACK, sent, 0, ack, window, false))
				}
			case 3: // a probe whether anybody is there
				k.put(c.segment(k.mac, tcpACK, sent-1, 0, ack, window, false))
			case 4: // damaged
				f := c.segment(k.mac, flags, sent, n, ack, window, true)
				f[50] ^= 0x10
				k.put(f)
			case 5: // far outside of the window
				k.put(c.segment(k.mac, flags, sent+1<<30, n, ack, window, true))
			case 6: // resets that have to be challenged, or ignored (RFC 5961)
				k.put(c.segment(k.mac, tcpRST, sent+5000+uint32(r.IntN(3000)), 0, ack, 0, false))
			case 7:
				k.put(c.segment(k.mac, tcpSYN|tcpACK, sent+uint32(r.IntN(1000)), 0, ack, window, false))
			case 8: // marks and urgency
				advance(i, sent, n)
				k.put(c.segment(k.mac, flags|[]byte{tcpECE, tcpURG, tcpECE | tcpURG}[r.IntN(3)], sent, n, ack, window, false))
			}
		}
		if i := r.IntN(conns); r.IntN(4) == 0 {
			pauses[i].Lock()
			gate.open()
			pauses[i].Unlock()
		} else {
			gate.open()
		}
		if i := r.IntN(conns); r.IntN(3) == 0 { // the program says something, too
			data := make([]byte, 1+r.IntN(4000))
			for j := range data {
				data[j] = stream(uint32(all[i].port)+1, written[i]+uint32(j))
			}
			if _, err := ends[i].Write(data); err != nil {
				t.Fatal(err)
			}
			written[i] += uint32(len(data))
		}
		k.wait(t, "acknowledgements", func() bool {
			for _, c := range all {
				if c.acked != c.sent && c.problem == "" {
					return false
				}
			}
			return true
		})
		if t.Failed() {
			return
		}
	}

	for i, c := range all {
		eventually(t, "what the program wrote", func() bool {
			k.mu.Lock()
			got := c.got
			k.mu.Unlock()
			k.put(c.segment(k.mac, tcpACK, c.sent, 0, c.back+got, 0x4000, false))
			return got >= written[i]
		})
		k.mu.Lock()
		c.finished = true
		k.mu.Unlock()
		k.put(c.segment(k.mac, tcpACK|tcpFIN, c.sent, 0, c.back+c.got, 0x4000, false))
	}
	sum := 0
	for _, c := range all {
		sum += int(c.sent)
	}
	for range all {
		sum -= <-total
	}
	if sum != 0 {
		t.Errorf("%d bytes were not read", sum)
	}
	if s := s.LinkStats(); s.RxKnown == 0 || s.RxMerged == 0 {
		t.Errorf("%+v", s)
	}
}
