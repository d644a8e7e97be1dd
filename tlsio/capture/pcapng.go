package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Numbers of draft-ietf-opsawg-pcapng, sections 3.1, 4 and 4.7. Blocks are written in
// little endian, which their reader finds out by byteOrder.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6 // enhanced
	blockSecrets   = 0x0000000a
	byteOrder      = 0x1a2b3c4d
	linkRaw        = 101 // LINKTYPE_RAW: IPv4 and IPv6, told apart by their first byte
	secretsTLS     = 0x544c534b
	optionEnd      = 0
	optionComment  = 1
	optionUserAppl = 4 // of a section
	optionName     = 2 // of an interface
	optionTSResol  = 9 // of an interface
	nanoseconds    = 9 // units of 10^-9 s
)

// writer writes blocks.
type writer struct {
	w   io.Writer
	n   int64
	err error
	b   []byte // the block that is being made
}

func (w *writer) begin(kind uint32) {
	w.b = binary.LittleEndian.AppendUint32(w.b[:0], kind)
	w.b = append(w.b, 0, 0, 0, 0) // the length, which end knows
}

func (w *writer) uint32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *writer) uint16(v uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, v) }

// padded appends p up to a multiple of four bytes.
func (w *writer) padded(p []byte) {
	w.b = append(w.b, p...)
	for n := len(p); n%4 != 0; n++ {
		w.b = append(w.b, 0)
	}
}

func (w *writer) option(code uint16, value []byte) {
	w.uint16(code)
	w.uint16(uint16(len(value)))
	w.padded(value)
}

// end closes the block and writes it. Blocks have their length at both ends.
func (w *writer) end() {
	size := uint32(len(w.b) + 4)
	w.uint32(size)
	binary.LittleEndian.PutUint32(w.b[4:], size)
	if w.err != nil {
		return
	}
	n, err := w.w.Write(w.b)
	w.n += int64(n)
	w.err = err
}

// writeFile writes a section with all flows: their secrets first, since those must
// stand before the packets that they open.
func writeFile(out io.Writer, flows []*flow) (int64, error) {
	w := &writer{w: out}
	defer func() { clear(w.b[:cap(w.b)]) }()
	w.begin(blockSection)
	w.uint32(byteOrder)
	w.uint16(1) // version 1.0
	w.uint16(0)
	w.uint32(^uint32(0)) // a length of -1: not told
	w.uint32(^uint32(0))
	w.option(optionUserAppl, []byte("Ingot tlsio/capture"))
	w.option(optionEnd, nil)
	w.end()

	w.begin(blockInterface)
	w.uint16(linkRaw)
	w.uint16(0)
	w.uint32(0) // packets are whole
	w.option(optionName, []byte("tls"))
	w.option(optionTSResol, []byte{nanoseconds})
	w.option(optionEnd, nil)
	w.end()

	for _, f := range flows {
		if len(f.secrets) == 0 {
			continue
		}
		w.begin(blockSecrets)
		w.uint32(secretsTLS)
		w.uint32(uint32(len(f.secrets)))
		w.padded(f.secrets)
		w.end()
		clear(w.b)
	}
	for i, f := range flows {
		f.write(w, i)
		if w.err != nil {
			break
		}
	}
	return w.n, w.err
}

// packet writes a segment.
func (w *writer) packet(at time.Time, s *segment, comment string) {
	w.begin(blockPacket)
	w.uint32(0) // the interface
	stamp := uint64(at.UnixNano())
	w.uint32(uint32(stamp >> 32))
	w.uint32(uint32(stamp))
	lengths := len(w.b)
	w.uint32(0)
	w.uint32(0)
	start := len(w.b)
	w.b = s.packet(w.b)
	size := len(w.b) - start
	binary.LittleEndian.PutUint32(w.b[lengths:], uint32(size))
	binary.LittleEndian.PutUint32(w.b[lengths+4:], uint32(size))
	for ; size%4 != 0; size++ {
		w.b = append(w.b, 0)
	}
	if comment != "" {
		w.option(optionComment, []byte(comment))
		w.option(optionEnd, nil)
	}
	w.end()
}

// isn returns the sequence numbers that a flow begins with. They differ from flow to
// flow, so that a reader takes two with the same addresses for two.
func isn(number int) [2]uint32 {
	return [2]uint32{uint32(number)*0x01000193 + 1, uint32(number)*0x01000193 + 0x811c9dc5}
}

// write writes the packets of a flow.
func (f *flow) write(w *writer, number int) {
	start := isn(number)
	next := [2]int64{} // bytes of each direction so far, gaps included
	send := func(at time.Time, dir int, flags byte, offset int64, data []byte, comment string) {
		other := 1 - dir
		s := segment{
			from: f.ends[dir], to: f.ends[other], flags: flags, data: data,
			seq: start[dir] + uint32(offset), ack: start[other] + 1 + uint32(next[other]),
		}
		if flags&ack == 0 {
			s.ack = 0
		}
		w.packet(at, &s, comment)
	}
	client, server := sent, received
	if f.server {
		client, server = received, sent
	}
	role := "client"
	if f.server {
		role = "server"
	}
	send(f.start, client, syn, 0, nil, "TCP headers are made up; recorded by the "+role)
	send(f.start, server, syn|ack, 0, nil, "")
	send(f.start, client, ack, 1, nil, "")
	for _, part := range [][]piece{f.head, f.ring} {
		for _, p := range part {
			comment := ""
			if p.offset > next[p.dir] {
				comment = fmt.Sprintf("%d bytes before this were not kept", p.offset-next[p.dir])
			}
			for offset, data := p.offset, p.data; len(data) > 0; {
				n := min(len(data), segmentMax)
				send(p.at, p.dir, ack|psh, offset+1, data[:n], comment)
				comment = ""
				offset += int64(n)
				data = data[n:]
				next[p.dir] = offset
			}
		}
	}
	if !f.closed {
		return
	}
	if f.reset {
		// Who gave up isn't known to TCP: the recording side has closed.
		send(f.end, sent, rst|ack, f.offset[sent]+1, nil, f.why)
		return
	}
	next = f.offset
	send(f.end, sent, fin|ack, f.offset[sent]+1, nil, "")
	next[sent]++
	send(f.end, received, fin|ack, f.offset[received]+1, nil, "")
	next[received]++
	send(f.end, sent, ack, f.offset[sent]+2, nil, "")
}
