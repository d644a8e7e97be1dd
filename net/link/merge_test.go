package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"ingot.dev/board/nic/nictest"
)

var (
	macA = []byte{2, 0, 0, 0, 0, 0x0a}
	macB = []byte{2, 0, 0, 0, 0, 0x0b}
)

const (
	ack = byte(header.TCPFlagAck)
	psh = byte(header.TCPFlagPsh)
	fin = byte(header.TCPFlagFin)
	syn = byte(header.TCPFlagSyn)
	ece = byte(header.TCPFlagEce)
)

// segment describes a TCP frame.
type segment struct {
	v6       bool
	port     uint16
	seq, ack uint32
	flags    byte
	window   uint16
	options  []byte
	data     string
	tos, ttl byte
	bad      bool // wrong checksum
}

// frame builds it, with right checksums and Ethernet padding.
func (s segment) frame() []byte {
	tcp := make([]byte, 20, 60)
	binary.BigEndian.PutUint16(tcp, 1000+s.port)
	binary.BigEndian.PutUint16(tcp[2:], 8443)
	binary.BigEndian.PutUint32(tcp[4:], s.seq)
	binary.BigEndian.PutUint32(tcp[8:], s.ack)
	tcp[12] = byte((20 + len(s.options)) / 4 << 4)
	tcp[13] = s.flags
	binary.BigEndian.PutUint16(tcp[14:], s.window)
	tcp = append(append(tcp, s.options...), s.data...)

	f := append(append([]byte{}, macB...), macA...)
	if s.v6 {
		f = append(f, 0x86, 0xdd, 0x60, s.tos, 0, 0)
		f = binary.BigEndian.AppendUint16(f, uint16(len(tcp)))
		f = append(f, 6, 64+s.ttl)
		f = append(f, make([]byte, 15)...)
		f = append(f, 1)
		f = append(f, make([]byte, 15)...)
		f = append(f, 2)
	} else {
		f = append(f, 8, 0, 0x45, s.tos)
		f = binary.BigEndian.AppendUint16(f, uint16(20+len(tcp)))
		f = append(f, 0, 7, 0x40, 0, 64+s.ttl, 6, 0, 0, 10, 0, 2, 2, 10, 0, 2, 15)
	}
	f = append(f, tcp...)
	nictest.InsertChecksums(f)
	if s.bad {
		f[len(f)-1] ^= 1
	}
	for len(f) < 60 {
		f = append(f, 0xee)
	}
	return f
}

// text describes a packet: "port seq:data ack flags".
func text(t testing.TB, p []byte) string {
	t.Helper()
	var f frame
	f.look(p)
	if f.tcp == 0 || f.class == other {
		return fmt.Sprintf("%d bytes", len(p))
	}
	tcp := p[f.tcp:]
	flags := ""
	for i, name := range []string{"F", "S", "R", "P", "A", "U", "E", "C"} {
		if tcp[13]&(1<<i) != 0 {
			flags += name
		}
	}
	return fmt.Sprintf("%d %d:%s %d %s", binary.BigEndian.Uint16(tcp)-1000, f.seq, f.ring[f.data:], f.ack, flags)
}

// put runs frames through one batch and returns the packets.
func put(b *batch, frames ...[]byte) (packets [][]byte, checked []bool) {
	return putBy(b, func(f []byte) {
		if !b.follow(f) {
			b.add(f)
		}
	}, frames)
}

func putBy(b *batch, add func([]byte), frames [][]byte) (packets [][]byte, checked []bool) {
	b.reset()
	for _, f := range frames {
		add(f)
	}
	for i := range b.n {
		if v := b.packet(i, 0); v != nil {
			packets = append(packets, v.ToSlice())
			checked = append(checked, b.frames[i].checked)
			v.Release()
		}
	}
	return packets, checked
}

var (
	timestamp = []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	later     = []byte{1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 2}
	sack      = []byte{1, 1, 5, 10, 0, 0, 0, 9, 0, 0, 0, 12}
)

func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []segment
		want []string
	}{
		{"in order", []segment{
			{seq: 1, ack: 5, flags: ack, data: "abc"},
			{seq: 4, ack: 5, flags: ack, data: "de"},
			{seq: 6, ack: 5, flags: ack | psh, data: "f"},
		}, []string{"0 1:abcdef 5 PA"}},
		{"across the end of the sequence numbers", []segment{
			{seq: 0xfffffffe, flags: ack, data: "abc"}, {seq: 1, flags: ack, data: "de"},
		}, []string{"0 4294967294:abcde 0 A"}},
		{"a gap", []segment{
			{seq: 1, flags: ack, data: "abc"}, {seq: 5, flags: ack, data: "de"},
		}, []string{"0 1:abc 0 A", "0 5:de 0 A"}},
		{"the same again", []segment{
			{seq: 1, flags: ack, data: "abc"}, {seq: 1, flags: ack, data: "abc"},
		}, []string{"0 1:abc 0 A", "0 1:abc 0 A"}},
		{"out of order", []segment{
			{seq: 4, flags: ack, data: "de"}, {seq: 1, flags: ack, data: "abc"}, {seq: 6, flags: ack, data: "f"},
		}, []string{"0 4:de 0 A", "0 1:abc 0 A", "0 6:f 0 A"}},
		{"two flows", []segment{
			{port: 1, seq: 1, flags: ack, data: "abc"}, {port: 2, seq: 1, flags: ack, data: "xy"},
			{port: 1, seq: 4, flags: ack, data: "de"}, {port: 2, seq: 3, flags: ack, data: "z"},
		}, []string{"1 1:abcde 0 A", "2 1:xyz 0 A"}},
		{"both versions are two flows", []segment{
			{seq: 1, flags: ack, data: "abc"}, {v6: true, seq: 4, flags: ack, data: "de"}, {seq: 4, flags: ack, data: "de"},
		}, []string{"0 1:abcde 0 A", "0 4:de 0 A"}},
		{"IPv6", []segment{
			{v6: true, seq: 1, flags: ack, data: "abc"}, {v6: true, seq: 4, flags: ack, data: "de"},
		}, []string{"0 1:abcde 0 A"}},
		{"newer acknowledgement", []segment{
			{seq: 1, ack: 5, flags: ack, data: "abc"}, {seq: 4, ack: 9, flags: ack, data: "de"},
		}, []string{"0 1:abcde 9 A"}},
		{"older acknowledgement", []segment{
			{seq: 1, ack: 5, flags: ack, data: "abc"}, {seq: 4, ack: 4, flags: ack, data: "de"},
		}, []string{"0 1:abc 5 A", "0 4:de 4 A"}},
		{"equal timestamps", []segment{
			{seq: 1, flags: ack, options: timestamp, data: "abc"}, {seq: 4, flags: ack, options: timestamp, data: "de"},
		}, []string{"0 1:abcde 0 A"}},
		{"other timestamps", []segment{
			{seq: 1, flags: ack, options: timestamp, data: "abc"}, {seq: 4, flags: ack, options: later, data: "de"},
		}, []string{"0 1:abc 0 A", "0 4:de 0 A"}},
		{"FIN stands alone", []segment{
			{seq: 1, flags: ack, data: "abc"}, {seq: 4, flags: ack | fin, data: "de"}, {seq: 7, flags: ack, data: "f"},
		}, []string{"0 1:abc 0 A", "0 4:de 0 FA", "0 7:f 0 A"}},
		{"congestion marks stand alone", []segment{
			{seq: 1, flags: ack, data: "abc"}, {seq: 4, flags: ack, tos: 3, data: "de"}, {seq: 6, flags: ack | ece, data: "f"},
		}, []string{"0 1:abc 0 A", "0 4:de 0 A", "0 6:f 0 AE"}},
		{"another path", []segment{
			{seq: 1, flags: ack, data: "abc"}, {seq: 4, flags: ack, ttl: 1, data: "de"},
		}, []string{"0 1:abc 0 A", "0 4:de 0 A"}},
		{"nothing merges across a fence", []segment{
			{seq: 1, flags: ack, data: "abc"}, {seq: 4, flags: ack | syn}, {seq: 4, flags: ack, data: "de"},
		}, []string{"0 1:abc 0 A", "0 4: 0 SA", "0 4:de 0 A"}},
		{"advancing acknowledgements", []segment{
			{seq: 1, ack: 5, flags: ack}, {seq: 1, ack: 6, flags: ack}, {seq: 1, ack: 9, flags: ack},
		}, []string{"0 1: 9 A"}},
		{"advancing, with timestamps", []segment{
			{seq: 1, ack: 5, flags: ack, options: timestamp}, {seq: 1, ack: 6, flags: ack, options: later},
		}, []string{"0 1: 6 A"}},
		{"duplicate acknowledgements", []segment{
			{seq: 1, ack: 4, flags: ack}, {seq: 1, ack: 5, flags: ack}, {seq: 1, ack: 5, flags: ack}, {seq: 1, ack: 5, flags: ack},
		}, []string{"0 1: 5 A", "0 1: 5 A", "0 1: 5 A"}},
		{"duplicates before one that advances", []segment{
			{seq: 1, ack: 5, flags: ack}, {seq: 1, ack: 5, flags: ack}, {seq: 1, ack: 6, flags: ack}, {seq: 1, ack: 7, flags: ack},
		}, []string{"0 1: 5 A", "0 1: 5 A", "0 1: 7 A"}},
		{"SACK", []segment{
			{seq: 1, ack: 5, flags: ack}, {seq: 1, ack: 6, flags: ack, options: sack}, {seq: 1, ack: 7, flags: ack},
		}, []string{"0 1: 5 A", "0 1: 6 A", "0 1: 7 A"}},
		{"acknowledgement and data", []segment{
			{seq: 1, ack: 5, flags: ack}, {seq: 1, ack: 6, flags: ack, data: "abc"}, {seq: 4, ack: 7, flags: ack}, {seq: 4, ack: 8, flags: ack},
		}, []string{"0 1: 5 A", "0 1:abc 6 A", "0 4: 8 A"}},
		{"acknowledgements with marks", []segment{
			{seq: 1, ack: 5, flags: ack}, {seq: 1, ack: 6, flags: ack | ece}, {v6: true, seq: 1, ack: 5, flags: ack}, {v6: true, seq: 1, ack: 6, flags: ack, tos: 0x30},
		}, []string{"0 1: 5 A", "0 1: 6 AE", "0 1: 5 A", "0 1: 6 A"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, trusted := range []bool{false, true} {
				var frames [][]byte
				for _, s := range tt.in {
					frames = append(frames, s.frame())
				}
				packets, checked := put(&batch{trusted: trusted}, frames...)
				var got []string
				for i, p := range packets {
					got = append(got, text(t, p))
					if trusted && !checked[i] {
						t.Error("not trusted:", got[i])
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("got  %q\nwant %q", got, tt.want)
				}
			}
		})
	}
}

// Without a MAC that checks, a frame with a wrong checksum changes no other one,
// and is left for the stack to drop.
func TestMergeDistrusts(t *testing.T) {
	packets, checked := put(&batch{},
		segment{seq: 1, flags: ack, data: "abc"}.frame(),
		segment{seq: 4, flags: ack, data: "de", bad: true}.frame(),
		segment{seq: 4, flags: ack, data: "de"}.frame(),
		segment{port: 1, seq: 1, ack: 5, flags: ack}.frame(),
		func() []byte {
			f := segment{port: 1, seq: 1, ack: 9, flags: ack}.frame()
			f[14+20+11] ^= 1 // in the acknowledgement number
			return f
		}(),
	)
	want := []string{"0 1:abc 0 A true", "0 4:dd 0 A false", "0 4:de 0 A true", "1 1: 5 A true", "1 1: 8 A false"}
	for i, p := range packets {
		if got := fmt.Sprint(text(t, p), " ", checked[i]); got != want[i] {
			t.Errorf("%q, want %q", got, want[i])
		}
	}
	if len(packets) != len(want) {
		t.Errorf("%d packets", len(packets))
	}
}

// A merged packet has the lengths and the IP checksum that it should have.
func TestMergedHeaders(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		var frames [][]byte
		for i := range uint32(batchSize) {
			frames = append(frames, segment{v6: v6, seq: i * 1400, flags: ack, window: uint16(i), data: string(make([]byte, 1400))}.frame())
		}
		packets, _ := put(&batch{}, frames...)
		if len(packets) != 2 {
			t.Fatalf("%d packets", len(packets))
		}
		total := 0
		for _, p := range packets {
			if v6 {
				if got := header.IPv6(p[14:]).PayloadLength(); int(got) != len(p)-14-40 {
					t.Errorf("length %d of %d", got, len(p))
				}
				total += len(p) - 14 - 40 - 20
				continue
			}
			ip := header.IPv4(p[14:])
			if !ip.IsChecksumValid() || int(ip.TotalLength()) != len(p)-14 {
				t.Errorf("IP header % x of %d bytes", []byte(ip[:20]), len(p))
			}
			total += len(p) - 14 - 20 - 20
		}
		if total != batchSize*1400 {
			t.Errorf("%d bytes", total)
		}
		var last frame
		last.look(packets[1])
		if w := binary.BigEndian.Uint16(packets[1][last.tcp+14:]); w != batchSize-1 {
			t.Errorf("window %d", w)
		}
	}
}

func TestFragmentsAreLeftAlone(t *testing.T) {
	first := segment{seq: 1, flags: ack, data: "abc"}.frame()
	first[14+6] = 0x20 // more fragments
	packets, checked := put(&batch{trusted: true}, first, segment{seq: 4, flags: ack, data: "de"}.frame())
	if len(packets) != 2 || checked[0] || !bytes.Equal(packets[0], first) {
		t.Errorf("%d packets, trusted: %v", len(packets), checked)
	}
}

// FuzzMergeBytes: no frame, however malformed, breaks a batch; what isn't
// merged comes out as it went in.
func FuzzMergeBytes(f *testing.F) {
	f.Add(segment{seq: 1, flags: ack, data: "abc"}.frame(), segment{seq: 4, flags: ack, data: "de"}.frame(), true)
	f.Add(segment{seq: 1, flags: ack, options: sack}.frame(), segment{v6: true, seq: 4, flags: ack}.frame(), false)
	f.Add([]byte{}, make([]byte, 60), true)
	f.Fuzz(func(t *testing.T, a, b []byte, trusted bool) {
		if len(a) > 1514 || len(b) > 1514 {
			return
		}
		x := &batch{trusted: trusted}
		packets, _ := put(x, a, b)
		sameByFollowing(t, [][]byte{a, b, a, b})
		if x.merged+x.coalesced == 0 {
			if len(packets) != 2 || !bytes.HasPrefix(a, packets[0]) || !bytes.HasPrefix(b, packets[1]) {
				t.Errorf("changed")
			}
		} else if len(packets) != 1 {
			t.Errorf("%d packets", len(packets))
		}
	})
}

// FuzzMergeStream: whatever arrives, the receiver of the packets sees of each
// flow the same bytes at the same places in the same order, the same duplicate
// acknowledgements and the same last one.
func FuzzMergeStream(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x10\x10\x10"), false)
	f.Add([]byte("\x02\x02\x06\x02\x12\x0a\x00\x01\x03"), true)
	f.Fuzz(func(t *testing.T, script []byte, trusted bool) {
		if len(script) > batchSize {
			return
		}
		type flow struct{ seq, ack uint32 }
		var flows [4]flow
		var frames [][]byte
		for i, c := range script {
			id := c & 3
			s := segment{v6: id&1 != 0, port: uint16(id >> 1), seq: flows[id].seq, ack: flows[id].ack, flags: ack, options: timestamp}
			switch c >> 2 & 7 {
			case 0, 1, 2:
				s.data = fmt.Sprintf("%d,%d;", i, c)
			case 3: // something was lost
				s.seq += 7
				s.data = "lost before"
			case 4:
				flows[id].ack += 10
				s.ack += 10
			case 5: // duplicate
			case 6:
				s.options = sack
			case 7:
				s.flags |= fin
				s.data = "end"
			}
			if c>>5&3 == 1 {
				s.options = later
			}
			flows[id].seq = s.seq + uint32(len(s.data))
			frames = append(frames, s.frame())
		}
		packets, _ := put(&batch{trusted: trusted}, frames...)
		sameByFollowing(t, frames)
		before, after := digest(frames), digest(packets)
		if before != after {
			t.Errorf("script %x\nbefore %s\nafter  %s", script, before, after)
		}
	})
}

// sameByFollowing compares what comes of frames that follow a stream with what comes of
// them when each is looked at, field by field.
func sameByFollowing(t *testing.T, frames [][]byte) (followed int) {
	t.Helper()
	x, y := &batch{trusted: true}, &batch{trusted: true}
	got, gotChecked := putBy(x, func(f []byte) {
		if x.follow(f) {
			followed++
		} else {
			x.add(f)
		}
	}, frames)
	want, wantChecked := putBy(y, y.add, frames)
	if !slices.EqualFunc(got, want, bytes.Equal) || !slices.Equal(gotChecked, wantChecked) || x.merged != y.merged || x.coalesced != y.coalesced {
		t.Errorf("%d frames became %d packets, %d merged, %d coalesced, %v; otherwise %d, %d, %d, %v",
			len(frames), len(got), x.merged, x.coalesced, gotChecked, len(want), y.merged, y.coalesced, wantChecked)
	}
	return followed
}

// A stream is followed, and a frame that differs from what it should be by a bit is judged
// as it is without that.
func TestFollow(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, options := range [][]byte{nil, timestamp} {
			stream := func() (frames [][]byte) {
				for i := range uint32(4) {
					frames = append(frames, segment{v6: v6, seq: i * 5, ack: 7 + i, flags: ack, options: options, data: "12345"}.frame())
				}
				return frames
			}
			if n := sameByFollowing(t, stream()); n != 3 {
				t.Errorf("IPv6 %v, options %x: %d frames followed", v6, options, n)
			}
			headers := len(segment{v6: v6, seq: 1, flags: ack, options: options, data: string(make([]byte, 100))}.frame()) - 100
			for at := range headers {
				for bit := range 8 {
					frames := stream()
					frames[2][at] ^= 1 << bit
					sameByFollowing(t, frames)
				}
			}
			for n := range headers + 5 { // cut short
				frames := stream()
				frames[2] = frames[2][:n]
				sameByFollowing(t, frames)
			}
			// Something of the same connection, or of another, comes in between.
			for _, between := range []segment{
				{v6: v6, seq: 10, ack: 8, flags: ack, options: options},
				{v6: v6, seq: 10, ack: 8, flags: ack | fin, options: options},
				{v6: v6, seq: 5, ack: 8, flags: ack, options: options, data: "12345"},
				{v6: !v6, seq: 10, ack: 8, flags: ack, options: options, data: "12345"},
				{v6: v6, port: 1, seq: 10, ack: 8, flags: ack, options: options, data: "12345"},
				{v6: v6, port: 1, seq: 10, ack: 8, flags: ack, options: options},
			} {
				frames := stream()
				sameByFollowing(t, slices.Insert(frames, 2, between.frame()))
			}
		}
	}
	// A batch ends where a packet does.
	b := &batch{trusted: true}
	b.reset()
	n := 0
	for ; !b.full(); n++ {
		if f := (segment{seq: uint32(n) * 1400, flags: ack, data: string(make([]byte, 1400))}).frame(); !b.follow(f) {
			b.add(f)
		}
	}
	if n != mergedMax/1400 || b.merged != n-1 {
		t.Errorf("a batch of %d frames, %d of them merged", n, b.merged)
	}
	// More flows than are merged side by side.
	var frames [][]byte
	for round := range uint32(3) {
		for port := range uint16(openMax + 2) {
			for i := range uint32(2) {
				frames = append(frames, segment{port: port, seq: (2*round + i) * 5, flags: ack, data: "12345"}.frame())
			}
		}
	}
	if n := sameByFollowing(t, frames); n == 0 {
		t.Error("of many flows none was followed")
	}
}

// digest says what a receiver makes of packets, flow by flow.
func digest(packets [][]byte) string {
	type view struct {
		data string // seq:byte of every byte
		acks string // duplicates and those with SACK or other flags
		ack  uint32
		seen bool
	}
	var flows [4]view
	for _, p := range packets {
		var f frame
		f.look(p)
		id := (binary.BigEndian.Uint16(p[f.tcp:]) - 1000) << 1
		if f.tcp == v6Payload {
			id |= 1
		}
		v := &flows[id]
		for i, c := range f.ring[f.data:] {
			v.data += fmt.Sprintf("%d:%c ", f.seq+uint32(i), c)
		}
		if f.class != payload && (f.class != pureAck || v.seen && f.ack == v.ack) {
			v.acks += fmt.Sprintf("%d/%d/%x ", f.seq, f.ack, f.flags())
		}
		v.ack, v.seen = f.ack, true
	}
	return fmt.Sprint(flows)
}
