package link

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// transmitter serialises the senders.
type transmitter struct {
	mu sync.Mutex

	// late is set by who had to wait for mu: once he has it, his turn is still to come.
	late atomic.Bool

	// head is where a packet's headers are prepared: the ring is slow to read
	// and should be written once.
	head [headSize]byte
}

// lock takes mu, and notes who has to wait for it.
func (t *transmitter) lock() {
	if !t.mu.TryLock() {
		t.late.Store(true)
		t.mu.Lock()
	}
}

// WritePackets implements stack.LinkWriter. It returns when every packet is in
// the ring and the transmission is started; while the ring is full it waits.
func (e *Endpoint) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	list := pkts.AsSlice()
	if !e.up.Load() {
		// As on a cable that is cut: the protocols above retry.
		e.stats.txDropped.Add(uint64(len(list)))
		return len(list), nil
	}
	e.tx.lock()
	defer e.tx.mu.Unlock()
	done := 0
	var err tcpip.Error
	for _, pkt := range list {
		if err = e.write(pkt); err != nil {
			e.stats.txDropped.Add(uint64(len(list) - done))
			break
		}
		done++
	}
	e.dev.FlushTx()
	e.stats.txPackets.Add(uint64(done))
	return done, err
}

// write puts one packet into the ring, as one frame or as the frames of a large
// TCP send.
//
// +checklocks:e.tx.mu
func (e *Endpoint) write(pkt *stack.PacketBuffer) tcpip.Error {
	c := newCursor(pkt)
	if pkt.GSOOptions.Type == stack.GSOTCPv4 || pkt.GSOOptions.Type == stack.GSOTCPv6 {
		return e.writeSegments(pkt, &c)
	}
	size := pkt.Size()
	slot, err := e.slot(size)
	if err != nil {
		return err
	}
	head := e.tx.head[:min(size, headSize)]
	c.read(head)
	if e.offloads.TxChecksum {
		clearChecksums(head)
	}
	copy(slot, head)
	c.read(slot[len(head):size])
	e.dev.CommitTx(size)
	e.stats.txFrames.Add(1)
	return nil
}

// slot waits for a free frame of the transmit ring.
func (e *Endpoint) slot(size int) ([]byte, tcpip.Error) {
	if size < etherSize || size > etherSize+int(e.mtu) {
		return nil, &tcpip.ErrMessageTooLong{}
	}
	for {
		if slot := e.dev.TxSlot(); slot != nil {
			return slot, nil
		}
		e.stats.txStalls.Add(1)
		if err := e.dev.WaitTx(); err != nil {
			return nil, &tcpip.ErrClosedForSend{}
		}
	}
}

// writeSegments cuts a TCP packet into frames of at most GSOOptions.MSS bytes of
// payload (one frame, if it is that small), straight into the ring.
func (e *Endpoint) writeSegments(pkt *stack.PacketBuffer, c *cursor) tcpip.Error {
	tcpSize := len(pkt.TransportHeader().Slice())
	ipSize := len(pkt.NetworkHeader().Slice())
	headers := etherSize + ipSize + tcpSize
	v6 := pkt.GSOOptions.Type == stack.GSOTCPv6
	if headers > headSize || tcpSize < header.TCPMinimumSize ||
		ipSize < header.IPv4MinimumSize || v6 && ipSize < header.IPv6MinimumSize {
		return &tcpip.ErrMalformedHeader{}
	}
	head := e.tx.head[:headers]
	c.read(head)
	rest := pkt.Size() - headers
	mss := int(pkt.GSOOptions.MSS)
	if mss == 0 {
		mss = rest // before the handshake told the limit, all packets are small
	}

	frames, err := e.cut(head, ipSize, v6, c, rest, mss)
	if err == nil {
		e.stats.txFrames.Add(uint64(frames))
	}
	return err
}

// cut puts frames into the ring that have the headers head, and together the next rest bytes
// of c: as many as it takes if none has more than mss of them, at least one.
//
// +checklocks:e.tx.mu
func (e *Endpoint) cut(head []byte, ipSize int, v6 bool, c *cursor, rest, mss int) (frames int, _ tcpip.Error) {
	ip, tcp := head[etherSize:etherSize+ipSize], head[etherSize+ipSize:]
	headers := len(head)
	flags := tcp[13]
	seq := binary.BigEndian.Uint32(tcp[4:])
	id := binary.BigEndian.Uint16(ip[4:])
	tcp[16], tcp[17] = 0, 0
	if !v6 {
		ip[10], ip[11] = 0, 0
	}
	for size := -1; ; {
		n := min(rest, mss)
		rest -= n
		var slot []byte
		if n == size { // which is no longer than a frame
			slot = e.dev.TxSlot()
		}
		if slot == nil {
			var err tcpip.Error
			if slot, err = e.slot(headers + n); err != nil {
				return frames, err
			}
		}

		// What differs from segment to segment. FIN and PSH belong to the last
		// byte, CWR (RFC 3168 §6.1.2) to the first segment.
		binary.BigEndian.PutUint32(tcp[4:], seq)
		seq += uint32(n)
		tcp[13] = flags
		if rest > 0 {
			tcp[13] &^= byte(header.TCPFlagFin | header.TCPFlagPsh)
		}
		flags &^= byte(header.TCPFlagCwr)
		if n != size { // of the first, and mostly of the last
			size = n
			length := headers - etherSize + n
			if v6 {
				binary.BigEndian.PutUint16(ip[4:], uint16(length-header.IPv6MinimumSize))
			} else {
				binary.BigEndian.PutUint16(ip[2:], uint16(length))
			}
		}
		if !v6 {
			binary.BigEndian.PutUint16(ip[4:], id)
			id++
			if !e.offloads.TxChecksum {
				ip[10], ip[11] = 0, 0
				binary.BigEndian.PutUint16(ip[10:], ^checksum.Checksum(ip, 0))
			}
		}
		copy(slot, head)
		if n <= len(c.rest) { // as mostly: a view has 64 KB
			copy(slot[headers:], c.rest[:n])
			c.rest = c.rest[n:]
		} else {
			c.read(slot[headers : headers+n])
		}
		if !e.offloads.TxChecksum {
			setTCPChecksum(slot[etherSize:headers+n], ipSize, v6)
		}
		e.dev.CommitTx(headers + n)
		frames++
		if rest == 0 {
			return frames, nil
		}
	}
}

// setTCPChecksum fills in the checksum, now zero, of a TCP packet.
func setTCPChecksum(packet []byte, ipSize int, v6 bool) {
	addresses := packet[12:20]
	if v6 {
		addresses = packet[8:40]
	}
	tcp := packet[ipSize:]
	sum := checksum.Checksum(addresses, uint16(header.TCPProtocolNumber))
	sum = checksum.Combine(sum, uint16(len(tcp)))
	binary.BigEndian.PutUint16(tcp[16:], ^checksum.Checksum(tcp, sum))
}

// clearChecksums zeroes the checksums that the MAC fills in (see nic.Offloads).
// Transport checksums of fragments stay: the MAC leaves those alone.
func clearChecksums(head []byte) {
	if len(head) < etherSize {
		return
	}
	var proto byte
	var l4 int
	switch binary.BigEndian.Uint16(head[12:]) {
	case uint16(header.IPv4ProtocolNumber):
		if len(head) < v4Payload {
			return
		}
		ip := head[ipStart:]
		ip[10], ip[11] = 0, 0
		if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
			return
		}
		proto, l4 = ip[9], ipStart+int(ip[0]&15)*4
	case uint16(header.IPv6ProtocolNumber):
		if len(head) < v6Payload {
			return
		}
		proto, l4 = head[ipStart+6], v6Payload
	default:
		return
	}
	field := 0
	switch tcpip.TransportProtocolNumber(proto) {
	case header.TCPProtocolNumber:
		field = l4 + header.TCPChecksumOffset
	case header.UDPProtocolNumber:
		field = l4 + 6
	case header.ICMPv4ProtocolNumber, header.ICMPv6ProtocolNumber:
		field = l4 + 2
	default:
		return
	}
	if field+2 <= len(head) {
		head[field], head[field+1] = 0, 0
	}
}

// cursor reads a packet's bytes one after the other from the views it is made
// of.
type cursor struct {
	view *buffer.View
	rest []byte
}

func newCursor(pkt *stack.PacketBuffer) cursor {
	views, skip := pkt.AsViewList()
	c := cursor{view: views.Front()}
	for c.view != nil && skip >= c.view.Size() {
		skip -= c.view.Size()
		c.view = c.view.Next()
	}
	if c.view != nil {
		c.rest = c.view.AsSlice()[skip:]
	}
	return c
}

// read fills b; the packet must have as many bytes left.
func (c *cursor) read(b []byte) {
	for len(b) > 0 {
		if len(c.rest) == 0 {
			c.view = c.view.Next()
			c.rest = c.view.AsSlice()
			continue
		}
		n := copy(b, c.rest)
		b, c.rest = b[n:], c.rest[n:]
	}
}
