package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
)

// port is a nic.Device that keeps what is sent, with a ring of a few frames that
// empties only when somebody waits for it.
type port struct {
	nic.Device // the methods that these tests don't need panic
	offloads   nic.Offloads
	ring       int
	down       bool

	slot      []byte
	committed [][]byte
	sent      [][]byte
	waits     int
	flushes   int
	broken    error
}

func (p *port) HardwareAddr() net.HardwareAddr { return macA }
func (p *port) MTU() int                       { return 1500 }
func (p *port) Offloads() nic.Offloads         { return p.offloads }
func (p *port) LinkState() nic.LinkState       { return nic.LinkState{Up: !p.down} }
func (p *port) OnLink(f func(nic.LinkState))   {}
func (p *port) FlushTx()                       { p.flushes++ }

func (p *port) TxSlot() []byte {
	if len(p.committed) == p.ring {
		return nil
	}
	if p.slot == nil {
		p.slot = make([]byte, nic.MaxFrame)
		rand.NewChaCha8([32]byte{1}).Read(p.slot) // undefined content
	}
	return p.slot
}

func (p *port) CommitTx(n int) {
	p.committed = append(p.committed, p.slot[:n])
	p.slot = nil
}

func (p *port) WaitTx() error {
	p.waits++
	if p.broken != nil {
		return p.broken
	}
	p.take()
	return nil
}

func (p *port) take() {
	p.sent = append(p.sent, p.committed...)
	p.committed = nil
}

// large builds the packet of a TCP send as the stack does: headers in one view,
// payload in others.
func large(v6 bool, flags byte, mss int, chunks ...[]byte) *stack.PacketBuffer {
	var data buffer.Buffer
	n := 0
	for _, c := range chunks {
		data.Append(buffer.NewViewWithData(c))
		n += len(c)
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{ReserveHeaderBytes: 200, Payload: data})
	tcp := header.TCP(pkt.TransportHeader().Push(32))
	tcp.Encode(&header.TCPFields{SrcPort: 1, DstPort: 2, SeqNum: 0xffffff00, AckNum: 7, DataOffset: 32, Flags: header.TCPFlags(flags), WindowSize: 9})
	copy(tcp[20:], timestamp)
	tcp.SetChecksum(0x1234) // the stack leaves the sum of the pseudo-header
	gso := stack.GSO{Type: stack.GSOTCPv4, NeedsCsum: true, MSS: uint16(mss)}
	if v6 {
		gso.Type = stack.GSOTCPv6
		ip := header.IPv6(pkt.NetworkHeader().Push(40))
		ip.Encode(&header.IPv6Fields{PayloadLength: uint16(32 + n), TransportProtocol: 6, HopLimit: 64,
			SrcAddr: tcpip.AddrFrom16([16]byte{0xfd, 15: 1}), DstAddr: tcpip.AddrFrom16([16]byte{0xfd, 15: 2})})
		pkt.NetworkProtocolNumber = header.IPv6ProtocolNumber
	} else {
		ip := header.IPv4(pkt.NetworkHeader().Push(20))
		ip.Encode(&header.IPv4Fields{TotalLength: uint16(52 + n), TTL: 64, Protocol: 6, ID: 0xffff, Flags: 2,
			SrcAddr: tcpip.AddrFrom4([4]byte{10, 0, 2, 15}), DstAddr: tcpip.AddrFrom4([4]byte{10, 0, 2, 2})})
		ip.SetChecksum(^ip.CalculateChecksum())
		pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
	}
	header.Ethernet(pkt.LinkHeader().Push(14)).Encode(&header.EthernetFields{
		SrcAddr: tcpip.LinkAddress(macA), DstAddr: tcpip.LinkAddress(macB), Type: pkt.NetworkProtocolNumber})
	pkt.GSOOptions = gso
	return pkt
}

func send(t testing.TB, p *port, pkt *stack.PacketBuffer) {
	t.Helper()
	var l stack.PacketBufferList
	l.PushBack(pkt)
	n, err := New(p, Options{}).WritePackets(l)
	if n != 1 || err != nil {
		t.Fatalf("%d packets, %v", n, err)
	}
	pkt.DecRef()
	p.take()
}

func TestSegments(t *testing.T) {
	const cwr = byte(header.TCPFlagCwr)
	for _, size := range []int{0, 1, 1448, 1449, 2896, 10000, 61000} {
		for _, v6 := range []bool{false, true} {
			for _, offload := range []bool{false, true} {
				t.Run(fmt.Sprint(size, v6, offload), func(t *testing.T) {
					data := make([]byte, size)
					rand.NewChaCha8([32]byte{2}).Read(data)
					p := &port{offloads: nic.Offloads{TxChecksum: offload}, ring: 8}
					third := size / 3
					mss := 1448
					if v6 {
						mss = 1428
					}
					send(t, p, large(v6, ack|psh|fin|cwr, mss, data[:third], data[third:third], data[third:]))

					wantFrames := max(1, (size+mss-1)/mss)
					if len(p.sent) != wantFrames || p.flushes != 1 {
						t.Fatalf("%d frames with %d doorbells", len(p.sent), p.flushes)
					}
					if wantFrames > 8 != (p.waits > 0) {
						t.Errorf("waited %d times", p.waits)
					}
					var got []byte
					for i, f := range p.sent {
						if offload {
							nictest.InsertChecksums(f) // wrong unless the fields are zero
						}
						if !nictest.ChecksumsOK(f) {
							t.Fatalf("frame %d: wrong checksum", i)
						}
						var x frame
						x.look(f)
						if len(x.ring) != len(f) || x.seq != 0xffffff00+uint32(len(got)) || x.ack != 7 {
							t.Fatalf("frame %d: length %d of %d, seq %d", i, len(x.ring), len(f), x.seq)
						}
						want := ack
						if i == 0 {
							want |= cwr
						}
						if i == len(p.sent)-1 {
							want |= psh | fin
						}
						if byte(x.flags()) != want {
							t.Errorf("frame %d: flags %x, want %x", i, x.flags(), want)
						}
						if !v6 && binary.BigEndian.Uint16(f[14+4:]) != uint16(0xffff+i) {
							t.Errorf("frame %d: IP id %d", i, binary.BigEndian.Uint16(f[14+4:]))
						}
						if !bytes.Equal(f[x.tcp+20:x.data], timestamp) {
							t.Errorf("frame %d: options % x", i, f[x.tcp+20:x.data])
						}
						got = append(got, x.ring[x.data:]...)
					}
					if !bytes.Equal(got, data) {
						t.Error("the bytes differ")
					}
				})
			}
		}
	}
}

// FuzzSegmentAndMerge: what is cut up on one side is the same packet again on
// the other.
func FuzzSegmentAndMerge(f *testing.F) {
	f.Add(uint16(5000), uint16(1448), uint16(100), false, false)
	f.Add(uint16(61000), uint16(1220), uint16(60999), true, true)
	f.Add(uint16(1), uint16(1), uint16(0), false, true)
	f.Fuzz(func(t *testing.T, size, mss, cut uint16, v6, offload bool) {
		if size == 0 || size > 61000 || mss == 0 || mss > 1428 || int(size) > int(mss)*batchSize {
			return
		}
		data := make([]byte, size)
		rand.NewChaCha8([32]byte{3}).Read(data)
		at := int(cut) % len(data)
		p := &port{offloads: nic.Offloads{TxChecksum: offload}, ring: 4}
		send(t, p, large(v6, ack|psh, int(mss), data[:at], data[at:]))
		if offload {
			for _, f := range p.sent {
				nictest.InsertChecksums(f)
			}
		}
		packets, checked := put(&batch{}, p.sent...)
		if len(packets) != 1 || !checked[0] {
			t.Fatalf("%d packets, verified: %v", len(packets), checked)
		}
		var x frame
		x.look(packets[0])
		if !bytes.Equal(x.ring[x.data:], data) || x.seq != 0xffffff00 || byte(x.flags()) != ack|psh {
			t.Errorf("seq %d, flags %x, %d bytes", x.seq, x.flags(), len(x.ring)-int(x.data))
		}
	})
}

// FuzzClearChecksums: whatever is sent, the MAC can complete it.
func FuzzClearChecksums(f *testing.F) {
	f.Add(segment{seq: 1, flags: ack, data: "abc"}.frame())
	f.Add(segment{v6: true, seq: 1, flags: ack, data: "abc"}.frame())
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) > 1514 {
			return
		}
		whole := nictest.ChecksumsOK(frame)
		clearChecksums(frame[:min(len(frame), headSize)])
		nictest.InsertChecksums(frame)
		if whole && !nictest.ChecksumsOK(frame) {
			t.Error("checksums were right and are not any more")
		}
	})
}

func TestTransmitFailures(t *testing.T) {
	t.Run("link down", func(t *testing.T) {
		p := &port{ring: 1, down: true}
		send(t, p, large(false, ack, 1448, make([]byte, 5000)))
		if len(p.sent) != 0 {
			t.Errorf("%d frames", len(p.sent))
		}
	})
	t.Run("port closed", func(t *testing.T) {
		p := &port{ring: 1, broken: net.ErrClosed}
		e := New(p, Options{})
		var l stack.PacketBufferList
		l.PushBack(large(false, ack, 1448, make([]byte, 5000)))
		n, err := e.WritePackets(l)
		if _, ok := err.(*tcpip.ErrClosedForSend); n != 0 || !ok {
			t.Errorf("%d, %v", n, err)
		}
		if s := e.Stats(); s.TxDropped != 1 || s.TxStalls != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("too long", func(t *testing.T) {
		p := &port{ring: 1}
		pkt := large(false, ack, 1448, make([]byte, 5000))
		pkt.GSOOptions = stack.GSO{}
		var l stack.PacketBufferList
		l.PushBack(pkt)
		if _, err := New(p, Options{}).WritePackets(l); err == nil {
			t.Error("sent")
		}
	})
}
