package capture

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"ingot.dev/tlsio"
)

// Sizes used where an option is zero, in bytes.
const (
	DefaultHead  = 16 << 10
	DefaultRing  = 48 << 10
	DefaultTotal = 1 << 20
)

// Options are a Recorder's. The zero value is ready for use.
type Options struct {
	// Head is how much is kept from the start of each connection, in bytes of both
	// directions with 64 bytes for each read and write, and Ring how much of what
	// came last. 0 means the default, negative values nothing.
	Head, Ring int
	// Total bounds what all connections hold, with the bookkeeping. 0 means
	// DefaultTotal. It must be 8 KB more than Head and Ring.
	Total int
	// Select says which connections are recorded; nil for all.
	Select func(local, remote net.Addr, server bool) bool
	// Now is the clock of the packets' timestamps; nil means time.Now.
	Now func() time.Time
}

// Recorder keeps what its connections carry. Its methods may be called from any
// goroutine.
type Recorder struct {
	o Options

	mu      sync.Mutex
	flows   []*flow // oldest first
	used    int
	evicted int
}

// overhead is what is counted for a flow, and for each piece of what it carried, beside
// the bytes themselves.
const (
	flowOverhead  = 512
	pieceOverhead = 64
)

// New returns a Recorder that holds nothing yet. Errors say which option can't be used.
func New(o Options) (*Recorder, error) {
	size := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
		*n = max(*n, 0)
	}
	size(&o.Head, DefaultHead)
	size(&o.Ring, DefaultRing)
	if o.Total == 0 {
		o.Total = DefaultTotal
	}
	if o.Head+o.Ring == 0 {
		return nil, &tlsio.OptionError{Option: "Ring", Value: o.Ring, Fix: "without Head and Ring there is nothing to record"}
	}
	if room := o.Total - 8<<10; o.Total < 0 || o.Head > room || o.Ring > room-o.Head {
		least := uint64(o.Head) + uint64(o.Ring) + 8<<10 // may be more than an int
		return nil, &tlsio.OptionError{Option: "Total", Value: o.Total, Fix: fmt.Sprintf("use %d or more, or make Head and Ring smaller", least)}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Recorder{o: o}, nil
}

// Tap is for tlsio.TLSOptions.Tap.
func (r *Recorder) Tap(local, remote net.Addr, server bool) tlsio.Tap {
	if r.o.Select != nil && !r.o.Select(local, remote, server) {
		return nil
	}
	f := &flow{r: r, server: server, start: r.o.Now()}
	f.ends[sent], f.ends[received] = endOf(local, 1), endOf(remote, 2)
	if f.ends[sent].Addr().Is4() != f.ends[received].Addr().Is4() {
		for i := range f.ends { // as IPv4-mapped ones
			f.ends[i] = netip.AddrPortFrom(netip.AddrFrom16(f.ends[i].Addr().As16()), f.ends[i].Port())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flows = append(r.flows, f)
	r.charge(f, flowOverhead)
	return f
}

// endOf returns an address as a value. One that isn't IP's gets a made-up one, for
// documentation (RFC 5737).
func endOf(a net.Addr, n byte) netip.AddrPort {
	if a != nil {
		if ap, err := netip.ParseAddrPort(a.String()); err == nil {
			return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
		}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 443)
}

// charge counts n bytes more for f, and makes room for them. r.mu is held.
func (r *Recorder) charge(f *flow, n int) {
	f.used += n
	r.used += n
	for r.used > r.o.Total {
		victim := 0
		for i, g := range r.flows {
			if g.closed && g != f {
				victim = i
				break
			}
		}
		if r.flows[victim] == f && len(r.flows) > 1 {
			victim = 1
		}
		r.remove(victim)
		r.evicted++
	}
}

// remove forgets a flow. r.mu is held.
func (r *Recorder) remove(i int) {
	f := r.flows[i]
	f.wipe()
	r.used -= f.used
	f.used = 0
	copy(r.flows[i:], r.flows[i+1:])
	r.flows[len(r.flows)-1] = nil
	r.flows = r.flows[:len(r.flows)-1]
}

// Forget drops everything recorded, and overwrites the secrets. Connections under way
// are not recorded any further.
func (r *Recorder) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.flows) > 0 {
		r.remove(len(r.flows) - 1)
	}
}

// Report says what a Recorder holds.
type Report struct {
	Connections int // recorded, living ones included
	Bytes       int // of Options.Total
	Evicted     int // connections that made room for others
}

// Report returns what is held.
func (r *Recorder) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Report{len(r.flows), r.used, r.evicted}
}

// WriteTo writes what is held as a pcapng file. It holds the recorder up only while it
// copies: connections don't wait for w.
func (r *Recorder) WriteTo(w io.Writer) (int64, error) {
	r.mu.Lock()
	flows := make([]*flow, len(r.flows))
	for i, f := range r.flows {
		flows[i] = f.copy()
	}
	r.mu.Unlock()
	defer func() {
		for _, f := range flows {
			f.wipe()
		}
	}()
	return writeFile(w, flows)
}

const (
	sent = iota
	received
)

// flow is one connection.
type flow struct {
	r      *Recorder
	server bool
	start  time.Time
	ends   [2]netip.AddrPort // whose packets are sent and received

	// Guarded by r.mu.
	head, ring []piece
	headSize   int
	ringSize   int
	offset     [2]int64 // bytes so far
	secrets    []byte
	used       int
	closed     bool
	reset      bool
	end        time.Time
	why        string
	gone       bool // evicted: nothing more is recorded
}

// piece is what was sent or received at once.
type piece struct {
	at     time.Time
	dir    int
	offset int64 // of its first byte in its direction
	data   []byte
}

// Sent implements tlsio.Tap.
func (f *flow) Sent(p []byte) { f.add(sent, p) }

// Received implements tlsio.Tap.
func (f *flow) Received(p []byte) { f.add(received, p) }

func (f *flow) add(dir int, p []byte) {
	now := f.r.o.Now()
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	if f.gone || f.closed || len(p) == 0 {
		return
	}
	offset := f.offset[dir]
	f.offset[dir] += int64(len(p))
	grown := 0
	if n := min(len(p), f.r.o.Head-f.headSize-pieceOverhead); n > 0 {
		f.head = append(f.head, piece{now, dir, offset, append([]byte(nil), p[:n]...)})
		f.headSize += n + pieceOverhead
		grown += n + pieceOverhead
		p, offset = p[n:], offset+int64(n)
	}
	// Of more than the ring holds, the end is kept.
	room := f.r.o.Ring - pieceOverhead
	if skip := len(p) - max(room, 0); skip > 0 {
		p, offset = p[skip:], offset+int64(skip)
	}
	if len(p) > 0 {
		f.ring = append(f.ring, piece{now, dir, offset, append([]byte(nil), p...)})
		f.ringSize += len(p) + pieceOverhead
		grown += len(p) + pieceOverhead
		for f.ringSize > f.r.o.Ring {
			old := &f.ring[0]
			n := len(old.data) + pieceOverhead
			if over := f.ringSize - f.r.o.Ring; over < len(old.data) {
				old.data = append([]byte(nil), old.data[over:]...)
				old.offset += int64(over)
				n = over
			} else {
				*old = piece{}
				f.ring = f.ring[1:]
			}
			f.ringSize -= n
			grown -= n
		}
	}
	f.r.charge(f, grown)
}

// secretsMax bounds the secrets of one connection; five lines of 200 bytes are usual,
// and each key update adds one.
const secretsMax = 4 << 10

// Secret implements tlsio.Tap.
func (f *flow) Secret(line []byte) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	if f.gone || len(f.secrets)+len(line) > secretsMax {
		return
	}
	grown := append(make([]byte, 0, len(f.secrets)+len(line)), f.secrets...)
	clear(f.secrets)
	f.secrets = append(grown, line...)
	f.r.charge(f, len(line))
}

// Closed implements tlsio.Tap.
func (f *flow) Closed(err error) {
	now := f.r.o.Now()
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	if f.gone || f.closed {
		return
	}
	f.closed, f.end = true, now
	if err != nil && !errors.Is(err, io.EOF) {
		f.reset = true
		f.why = err.Error()
		f.why = strings.ToValidUTF8(f.why[:min(len(f.why), whyMax)], "?")
		f.r.charge(f, len(f.why))
	}
}

// whyMax bounds the text of an error.
const whyMax = 1 << 10

// wipe overwrites the secrets and gives up the rest. r.mu is held, or f is a copy.
func (f *flow) wipe() {
	clear(f.secrets)
	f.secrets, f.head, f.ring, f.why, f.gone = nil, nil, nil, "", true
}

// copy returns what writing needs; pieces are never changed once they are there, but
// for being taken away. r.mu is held.
func (f *flow) copy() *flow {
	g := *f
	g.head = append([]piece(nil), f.head...)
	g.ring = append([]piece(nil), f.ring...)
	g.secrets = append([]byte(nil), f.secrets...)
	return &g
}
