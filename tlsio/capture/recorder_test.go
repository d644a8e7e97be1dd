package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/tlsio"
)

// block is a block as a reader finds it.
type block struct {
	kind uint32
	body []byte
}

// parse reads a file, strictly.
func parse(b []byte) (blocks []block, err error) {
	for len(b) > 0 {
		if len(b) < 12 {
			return nil, fmt.Errorf("%d bytes at the end", len(b))
		}
		kind, size := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if size%4 != 0 || size < 12 || int(size) > len(b) || binary.LittleEndian.Uint32(b[size-4:]) != size {
			return nil, fmt.Errorf("block of kind %#x has the length %d", kind, size)
		}
		blocks = append(blocks, block{kind, b[8 : size-4]})
		b = b[size:]
	}
	if len(blocks) < 2 || blocks[0].kind != blockSection || blocks[1].kind != blockInterface ||
		binary.LittleEndian.Uint32(blocks[0].body) != byteOrder {
		return nil, errors.New("not a section with an interface")
	}
	return blocks, nil
}

// options returns the options of a block whose fixed part has so many bytes.
func options(body []byte, fixed int) map[uint16]string {
	o := map[uint16]string{}
	for b := body[fixed:]; len(b) >= 4; {
		code, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if code == optionEnd {
			break
		}
		o[code] = string(b[4 : 4+n])
		b = b[4+(n+3)&^3:]
	}
	return o
}

// stream is one direction of a connection, put together from its packets.
type stream struct {
	isn    uint32
	syn    bool
	data   []byte // from the sequence number isn+1 on; gaps are zero
	known  int    // bytes of it that were there
	fin    bool
	rst    bool
	acked  uint32
	source netip.AddrPort
}

// streams puts the packets of a file together. Keys are source and destination.
func streams(blocks []block) (map[[2]netip.AddrPort]*stream, error) {
	all := map[[2]netip.AddrPort]*stream{}
	last := uint64(0)
	for _, b := range blocks[2:] {
		if b.kind == blockSecrets {
			if len(all) > 0 {
				return nil, errors.New("secrets after packets")
			}
			continue
		}
		if b.kind != blockPacket {
			return nil, fmt.Errorf("a block of kind %#x", b.kind)
		}
		stamp := uint64(binary.LittleEndian.Uint32(b.body[4:]))<<32 | uint64(binary.LittleEndian.Uint32(b.body[8:]))
		last = max(last, stamp)
		n := int(binary.LittleEndian.Uint32(b.body[12:]))
		if n != int(binary.LittleEndian.Uint32(b.body[16:])) || n > 65535+ipv6Size {
			return nil, fmt.Errorf("a packet of %d bytes", n)
		}
		p := b.body[20 : 20+n]
		var src, dst netip.Addr
		var tcp []byte
		switch p[0] >> 4 {
		case 4:
			if fold(sum(0, p[:ipv4Size])) != 0xffff || int(binary.BigEndian.Uint16(p[2:])) != n {
				return nil, errors.New("IPv4 header")
			}
			src, dst, tcp = netip.AddrFrom4([4]byte(p[12:])), netip.AddrFrom4([4]byte(p[16:])), p[ipv4Size:]
		case 6:
			if int(binary.BigEndian.Uint16(p[4:])) != n-ipv6Size {
				return nil, errors.New("IPv6 header")
			}
			src, dst, tcp = netip.AddrFrom16([16]byte(p[8:])), netip.AddrFrom16([16]byte(p[24:])), p[ipv6Size:]
		default:
			return nil, fmt.Errorf("version %d of IP", p[0]>>4)
		}
		if fold(sum(sum(sum(0, src.AsSlice()), dst.AsSlice())+protoTCP+uint32(len(tcp)), tcp)) != 0xffff {
			return nil, errors.New("TCP checksum")
		}
		from := netip.AddrPortFrom(src, binary.BigEndian.Uint16(tcp))
		to := netip.AddrPortFrom(dst, binary.BigEndian.Uint16(tcp[2:]))
		seq, flags, data := binary.BigEndian.Uint32(tcp[4:]), tcp[13], tcp[tcpSize:]
		s := all[[2]netip.AddrPort{from, to}]
		if s == nil {
			s = &stream{source: from}
			all[[2]netip.AddrPort{from, to}] = s
		}
		if flags&syn != 0 {
			if s.syn || len(data) > 0 {
				return nil, errors.New("a second SYN")
			}
			s.syn, s.isn = true, seq
			continue
		}
		if !s.syn {
			return nil, errors.New("a packet before the SYN")
		}
		if flags&ack != 0 {
			s.acked = binary.BigEndian.Uint32(tcp[8:])
		}
		at := int(seq - s.isn - 1)
		if at < len(s.data) {
			return nil, fmt.Errorf("sequence number goes back from %d to %d", len(s.data), at)
		}
		if len(data) > 0 {
			s.data = append(append(s.data, make([]byte, at-len(s.data))...), data...)
			s.known += len(data)
		}
		s.fin = s.fin || flags&fin != 0
		s.rst = s.rst || flags&rst != 0
	}
	return all, nil
}

func written(t testing.TB, r *Recorder) []byte {
	t.Helper()
	var b bytes.Buffer
	if n, err := r.WriteTo(&b); err != nil || n != int64(b.Len()) {
		t.Fatal(n, err)
	}
	return b.Bytes()
}

var (
	here  = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:1000"))
	there = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.2:443"))
)

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		o      Options
		option string
	}{
		{Options{Head: -1, Ring: -1}, "Ring"},
		{Options{Total: 1000}, "Total"},
		{Options{Head: 1 << 20, Total: 1 << 20}, "Total"},
	} {
		var e *tlsio.OptionError
		if _, err := New(tt.o); !errors.As(err, &e) || e.Option != tt.option {
			t.Errorf("%+v: %v", tt.o, err)
		}
	}
	if _, err := New(Options{Head: -1}); err != nil {
		t.Errorf("no head: %v", err)
	}
}

// What goes in comes out again.
func TestRoundTrip(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	tap := r.Tap(here, there, false)
	var want [2][]byte
	for i := range 200 {
		p := bytes.Repeat([]byte{byte(i)}, 1+i)
		if i%3 == 0 {
			tap.Received(p)
			want[received] = append(want[received], p...)
		} else {
			tap.Sent(p)
			want[sent] = append(want[sent], p...)
		}
	}
	tap.Secret([]byte("CLIENT_RANDOM 00 11\n"))
	tap.Secret([]byte("CLIENT_RANDOM 22 33\n"))
	tap.Closed(io.EOF)
	tap.Closed(errors.New("again"))
	tap.Sent([]byte("after the end"))
	blocks, err := parse(written(t, r))
	if err != nil {
		t.Fatal(err)
	}
	if got := options(blocks[1].body, 8)[optionTSResol]; got != "\x09" {
		t.Errorf("resolution %q", got)
	}
	if got := blocks[2]; got.kind != blockSecrets || !bytes.Equal(bytes.TrimRight(got.body[8:], "\x00"), []byte("CLIENT_RANDOM 00 11\nCLIENT_RANDOM 22 33\n")) {
		t.Errorf("secrets: %q", got.body)
	}
	all, err := streams(blocks)
	if err != nil {
		t.Fatal(err)
	}
	a, b := here.AddrPort(), there.AddrPort()
	for dir, key := range [][2]netip.AddrPort{{a, b}, {b, a}} {
		s, other := all[key], all[[2]netip.AddrPort{key[1], key[0]}]
		if s == nil || !bytes.Equal(s.data, want[dir]) || !s.fin || s.rst {
			t.Errorf("direction %d: %+v", dir, s)
		}
		if end := s.isn + 1 + uint32(len(s.data)) + 1; other.acked != end {
			t.Errorf("direction %d ends at %d, %d is acknowledged", dir, end, other.acked)
		}
	}
}

// Secrets are overwritten when they go, wherever the recorder had them.
func TestWipe(t *testing.T) {
	secret := []byte("CLIENT_RANDOM secret\n")
	for name, drop := range map[string]func(r *Recorder){
		"forget": (*Recorder).Forget,
		"evict": func(r *Recorder) {
			for i := range 100 {
				tap := r.Tap(here, there, i%2 == 0)
				tap.Sent(make([]byte, 1<<10))
			}
		},
	} {
		r, err := New(Options{Head: 1 << 10, Ring: 1 << 10, Total: 16 << 10})
		if err != nil {
			t.Fatal(err)
		}
		tap := r.Tap(here, there, true)
		tap.Secret(secret)
		tap.Sent([]byte("hello"))
		kept := tap.(*flow).secrets
		grown := kept
		tap.Secret(secret) // moves
		kept = tap.(*flow).secrets
		copied := tap.(*flow).copy()
		copied.wipe()
		drop(r)
		for what, b := range map[string][]byte{"first": grown, "moved": kept} {
			if len(bytes.Trim(b, "\x00")) > 0 {
				t.Errorf("%s: the %s secrets are still there: %q", name, what, b)
			}
		}
		if bytes.Contains(written(t, r), []byte("secret")) {
			t.Errorf("%s: the file has them", name)
		}
		tap.Sent([]byte("more"))
		tap.Secret(secret)
		tap.Closed(nil)
		if tap.(*flow).secrets != nil || tap.(*flow).used != 0 {
			t.Errorf("%s: recorded after it", name)
		}
	}
}

// The limits hold, for a few connections that say much and for many that say little, in
// small pieces and in large ones.
func TestLimits(t *testing.T) {
	const total = 64 << 10
	for _, size := range []int{1, 100, 20000} {
		r, err := New(Options{Head: 4 << 10, Ring: 8 << 10, Total: total})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			tap := r.Tap(here, there, true)
			for range 1 + 40000/size {
				tap.Sent(make([]byte, size))
				if used := r.Report().Bytes; used > total {
					t.Fatalf("%d bytes held", used)
				}
			}
			f := tap.(*flow)
			if f.headSize > 4<<10 || f.ringSize > 8<<10 {
				t.Fatalf("head of %d bytes, ring of %d", f.headSize, f.ringSize)
			}
			for range 100 {
				tap.Secret(bytes.Repeat([]byte("x"), 100))
			}
			if i%2 == 0 {
				tap.Closed(errors.New(strings.Repeat("long ", 1000)))
			}
		}
		rep := r.Report()
		if rep.Bytes > total || rep.Evicted == 0 || rep.Connections == 0 || rep.Evicted+rep.Connections != 50 {
			t.Errorf("%+v", rep)
		}
		sum := 0
		for _, f := range r.flows {
			n := flowOverhead + len(f.secrets) + len(f.why)
			for _, part := range [][]piece{f.head, f.ring} {
				for _, p := range part {
					n += len(p.data) + pieceOverhead
				}
			}
			if n != f.used {
				t.Errorf("%d bytes counted, %d there", f.used, n)
			}
			sum += n
		}
		if sum != rep.Bytes {
			t.Errorf("%d bytes counted, %d there", rep.Bytes, sum)
		}
		blocks, err := parse(written(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if len(blocks) < 4 {
			t.Error("nothing was written")
		}
		r.Forget()
		if rep := r.Report(); rep.Bytes != 0 || rep.Connections != 0 {
			t.Errorf("after Forget: %+v", rep)
		}
	}
}

// Connections that have ended make room before those that live.
func TestEvictionOrder(t *testing.T) {
	r, err := New(Options{Head: 1 << 10, Ring: -1, Total: 12 << 10})
	if err != nil {
		t.Fatal(err)
	}
	old := r.Tap(here, there, true)
	old.Sent(make([]byte, 900))
	for range 30 {
		tap := r.Tap(here, there, true)
		tap.Sent(make([]byte, 900))
		tap.Closed(nil)
	}
	if old.(*flow).gone {
		t.Error("the living one made room for those that have ended")
	}
}

func TestSelect(t *testing.T) {
	r, err := New(Options{Select: func(_, remote net.Addr, server bool) bool { return server && remote.String() == there.String() }})
	if err != nil {
		t.Fatal(err)
	}
	if r.Tap(here, there, false) != nil || r.Tap(here, here, true) != nil || r.Tap(here, there, true) == nil {
		t.Error("the wrong ones are recorded")
	}
}

// failing takes n bytes.
type failing struct{ n int }

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.n {
		n := f.n
		f.n = 0
		return n, io.ErrShortWrite
	}
	f.n -= len(p)
	return len(p), nil
}

func TestWriteError(t *testing.T) {
	r, _ := New(Options{})
	tap := r.Tap(here, there, true)
	tap.Sent(make([]byte, 1000))
	size := len(written(t, r))
	for n := range size {
		got, err := r.WriteTo(&failing{n})
		if !errors.Is(err, io.ErrShortWrite) || got != int64(n) {
			t.Fatalf("%d of %d bytes: %d, %v", n, size, got, err)
		}
	}
}

// Everything at once; the race detector watches.
func TestConcurrent(t *testing.T) {
	r, err := New(Options{Head: 1 << 10, Ring: 2 << 10, Total: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				tap := r.Tap(here, there, true)
				var both sync.WaitGroup
				both.Go(func() { tap.Sent(make([]byte, 3000)) })
				both.Go(func() { tap.Received(make([]byte, 300)); tap.Secret([]byte("x\n")) })
				both.Wait()
				tap.Closed(nil)
			}
		})
		all.Go(func() {
			for range 20 {
				if _, err := parse(written(t, r)); err != nil {
					t.Error(err)
				}
				r.Report()
			}
		})
	}
	all.Wait()
}

// FuzzWriter has a recording written of what a script says, and reads it back: it must
// be well formed, and what is there must be what was recorded.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("\x00\x05\x41\x30\x07\x82\x01"), "192.0.2.1:1000", "[2001:db8::1]:443", uint16(0), uint16(100))
	f.Add([]byte("\xff\xff\xff\x80\x81\x82\x03\x04"), "nonsense", "", uint16(1), uint16(65535))
	f.Add(bytes.Repeat([]byte{0x7f, 0x3f}, 100), "[::1]:1", "[fe80::1%eth0]:2", uint16(4000), uint16(300))
	f.Fuzz(func(t *testing.T, script []byte, local, remote string, head, ring uint16) {
		now := time.Unix(1, 0)
		r, err := New(Options{Head: int(head), Ring: int(ring), Now: func() time.Time { now = now.Add(time.Second); return now }})
		if err != nil {
			t.Skip()
		}
		if local == remote {
			t.Skip() // one packet's source couldn't be told from its destination
		}
		tap := r.Tap(address(local), address(remote), len(script)%2 == 0)
		fl := tap.(*flow)
		var all [2][]byte
		for i, c := range script {
			p := bytes.Repeat([]byte{byte(i) | 1}, int(c&0x3f)*37)
			switch c >> 6 {
			case 0, 1:
				tap.Sent(p)
				if !fl.closed {
					all[sent] = append(all[sent], p...)
				}
			case 2:
				tap.Received(p)
				if !fl.closed {
					all[received] = append(all[received], p...)
				}
			default:
				if c == 0xff {
					tap.Closed(errors.New(string(script)))
				} else {
					tap.Secret(p)
				}
			}
		}
		if used := r.Report().Bytes; used > DefaultTotal {
			t.Errorf("%d bytes held", used)
		}
		blocks, err := parse(written(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if fl.ends[sent] == fl.ends[received] {
			t.Skip()
		}
		both, err := streams(blocks)
		if err != nil {
			t.Fatal(err)
		}
		for dir := range all {
			s := both[[2]netip.AddrPort{fl.ends[dir], fl.ends[1-dir]}]
			if s == nil {
				t.Fatal("a direction is missing")
			}
			if len(s.data) > len(all[dir]) {
				t.Fatalf("%d bytes written, %d recorded", len(s.data), len(all[dir]))
			}
			same := 0
			for i, c := range s.data {
				if c == all[dir][i] {
					same++
				} else if c != 0 {
					t.Fatalf("byte %d is %d, was %d", i, c, all[dir][i])
				}
			}
			if same != s.known {
				t.Errorf("%d bytes are right, %d are there", same, s.known)
			}
		}
	})
}

// address is a net.Addr of any text.
type address string

func (address) Network() string  { return "test" }
func (a address) String() string { return string(a) }

// Sizes whose sum is no int any more.
func TestSizesThatOverflow(t *testing.T) {
	for _, o := range []Options{{Head: math.MaxInt}, {Ring: math.MaxInt}, {Head: math.MaxInt, Ring: math.MaxInt, Total: math.MaxInt}} {
		if r, err := New(o); err == nil || r != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
