package link

import (
	"errors"
	"net"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// receiver belongs to the receive goroutine.
type receiver struct {
	batch batch
	ready [batchSize]arrival
}

// arrival is a packet on its way from the ring to the stack.
type arrival struct {
	pkt   *stack.PacketBuffer
	proto tcpip.NetworkProtocolNumber
	frame int           // of the batch
	to    *tcp.Endpoint // nil: by the long way
	id    stack.TransportEndpointID
}

// receive is the receive goroutine: it ends when the port closes.
func (e *Endpoint) receive() {
	for {
		if err := e.dev.WaitRx(); err != nil {
			if !errors.Is(err, net.ErrClosed) {
				e.log.Error("network port stopped receiving", "err", err)
			}
			return
		}
		for e.drain() {
		}
	}
}

// drain takes one batch from the ring to the stack. It reports whether it found
// any: new frames arrive while the stack works.
func (e *Endpoint) drain() bool {
	b := &e.rx.batch
	b.reset()
	filter := e.filter.Load()
	frames, foreign, refused := 0, 0, 0
	for !b.full() {
		ring, ok := e.dev.NextRx()
		if !ok {
			break
		}
		frames++
		if b.follow(ring) {
			continue // an established connection's, and for us, as the one before
		}
		if !e.mine(ring) {
			foreign++
			continue
		}
		b.add(ring)
		if filter == nil {
			continue
		}
		if f := &b.frames[b.n-1]; f.asks() && !(*filter)(f.ends()) {
			f.refused, f.drop = true, true
			refused++
		}
	}
	if frames == 0 {
		return false
	}

	ready := e.rx.ready[:0]
	known := 0
	for i := range b.n {
		f := &b.frames[i]
		if f.drop {
			continue
		}
		if l := e.express.find(f); l != nil {
			known++
			ready = append(ready, arrival{pkt: e.express.board(f, b.packet(i, ipStart)), frame: i, to: l.ep, id: l.id})
		} else if pkt, proto, ok := e.wrap(b.packet(i, 0)); ok {
			ready = append(ready, arrival{pkt: pkt, proto: proto, frame: i})
		}
	}
	e.dev.ReleaseRx()
	if refused > 0 {
		e.refuse(b)
	}

	d := e.dispatcher.Load()
	debts := ready[:0]
	for i, a := range ready {
		switch f := &b.frames[a.frame]; {
		case d == nil:
		case a.to != nil:
			e.express.tcp.QueuePacket(a.to, a.id, a.pkt)
		default:
			e.setTrust(f.checked)
			(*d).DeliverNetworkPacket(a.proto, a.pkt)
			e.express.learn(f)
		}
		a.pkt.DecRef()
		ready[i] = arrival{}
		if a.to != nil && e.express.owes(a.to) {
			debts = append(debts, arrival{to: a.to, id: a.id})
		}
	}
	if len(debts) > 0 {
		e.express.settle(debts)
	}

	e.express.sweep()
	s := &e.stats
	s.rxFrames.Add(uint64(frames))
	s.rxPackets.Add(uint64(len(ready)))
	s.rxMerged.Add(uint64(b.merged))
	s.rxCoalesced.Add(uint64(b.coalesced))
	s.rxKnown.Add(uint64(known))
	s.rxForeign.Add(uint64(foreign))
	s.rxRefused.Add(uint64(refused))
	return true
}

func (e *Endpoint) setTrust(checked bool) {
	var bit uint32
	if checked {
		bit = uint32(stack.CapabilityRXChecksumOffload)
	}
	if e.trust.Load() != bit {
		e.trust.Store(bit)
	}
}

// mine reports whether a frame is for this port: to its own address, or to a
// group (the lowest bit of the first byte, IEEE 802.3 §3.2.3).
func (e *Endpoint) mine(frame []byte) bool {
	return len(frame) >= etherSize && (frame[0]&1 != 0 || string(frame[:6]) == string(e.address))
}
