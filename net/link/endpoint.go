package link

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"ingot.dev/board/nic"
)

// Options configure an [Endpoint]. The zero value is ready for use.
type Options struct {
	// Log is told when the port fails; nil for slog.Default().
	Log *slog.Logger
}

// Stats are counters since the endpoint was made.
type Stats struct {
	RxFrames    uint64 // frames taken from the ring
	RxPackets   uint64 // packets delivered to the stack
	RxMerged    uint64 // frames that went into an earlier frame's packet
	RxCoalesced uint64 // acknowledgements made obsolete by a later one
	RxKnown     uint64 // packets delivered right to the connection that they are for
	RxForeign   uint64 // frames for another unicast address, dropped
	RxRefused   uint64 // requests for connections that the filter refused
	TxFrames    uint64 // frames put into the ring
	TxPackets   uint64 // packets taken from the stack
	TxLanes     uint64 // those that TCP handed over right away
	TxStalls    uint64 // times the ring was full
	TxDropped   uint64 // packets dropped: link down, or the port closed or failed
}

// Endpoint is a gVisor link endpoint that owns a nic.Device.
type Endpoint struct {
	dev      nic.Device
	peeker   nic.Peeker              // dev, if it is one
	asking   func(frame []byte) bool // made once, so that Urgent allocates nothing
	log      *slog.Logger
	address  tcpip.LinkAddress
	offloads nic.Offloads
	mtu      uint32

	dispatcher atomic.Pointer[stack.NetworkDispatcher]
	filter     atomic.Pointer[Filter]
	start      sync.Once
	running    sync.WaitGroup
	up         atomic.Bool

	// trust is CapabilityRXChecksumOffload while a packet is delivered whose
	// checksums were verified, else 0. Only the receive goroutine writes it,
	// and the stack reads the bit only below DeliverNetworkPacket.
	trust atomic.Uint32

	closeMu sync.Mutex
	onClose func()

	rx      receiver
	tx      transmitter
	express express

	stats struct {
		_                                                                         [0]func() // spares the image the code to compare it
		rxFrames, rxPackets, rxMerged, rxCoalesced, rxKnown, rxForeign, rxRefused atomic.Uint64
		txFrames, txPackets, txLanes, txStalls, txDropped                         atomic.Uint64
	}
}

var (
	_ stack.LinkEndpoint = (*Endpoint)(nil)
	_ stack.GSOEndpoint  = (*Endpoint)(nil)
)

// New returns an endpoint that owns dev. It starts to receive when a stack
// attaches to it, and closes dev when the stack removes it.
func New(dev nic.Device, o Options) *Endpoint {
	e := &Endpoint{
		dev:      dev,
		log:      o.Log,
		address:  tcpip.LinkAddress(dev.HardwareAddr()),
		offloads: dev.Offloads(),
		mtu:      uint32(dev.MTU()),
	}
	e.peeker, _ = dev.(nic.Peeker)
	e.asking = asking
	if e.log == nil {
		e.log = slog.Default()
	}
	e.rx.batch.trusted = e.offloads.RxChecksum
	e.up.Store(dev.LinkState().Up)
	dev.OnLink(func(s nic.LinkState) { e.up.Store(s.Up) })
	return e
}

// Stats returns the counters. They are read one by one.
func (e *Endpoint) Stats() Stats {
	s := &e.stats
	return Stats{
		RxFrames: s.rxFrames.Load(), RxPackets: s.rxPackets.Load(), RxMerged: s.rxMerged.Load(),
		RxCoalesced: s.rxCoalesced.Load(), RxKnown: s.rxKnown.Load(), RxForeign: s.rxForeign.Load(), RxRefused: s.rxRefused.Load(),
		TxFrames: s.txFrames.Load(), TxPackets: s.txPackets.Load(), TxLanes: s.txLanes.Load(),
		TxStalls: s.txStalls.Load(), TxDropped: s.txDropped.Load(),
	}
}

// MTU implements stack.NetworkLinkEndpoint: the largest IP packet in bytes.
func (e *Endpoint) MTU() uint32 { return e.mtu }

// SetMTU implements stack.NetworkLinkEndpoint. The port's MTU is fixed.
func (e *Endpoint) SetMTU(uint32) {}

// MaxHeaderLength implements stack.NetworkLinkEndpoint.
func (e *Endpoint) MaxHeaderLength() uint16 { return etherSize }

// LinkAddress implements stack.NetworkLinkEndpoint.
func (e *Endpoint) LinkAddress() tcpip.LinkAddress { return e.address }

// SetLinkAddress implements stack.NetworkLinkEndpoint. The address is the
// port's own and fixed.
func (e *Endpoint) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities implements stack.NetworkLinkEndpoint. TX checksums are not
// claimed: the stack would then leave UDP checksums out before it cuts a
// datagram into fragments, where no MAC can fill them in. TCP is spared the
// computation by GSO.
func (e *Endpoint) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityResolutionRequired | stack.LinkEndpointCapabilities(e.trust.Load())
}

// GSOMaxSize implements stack.GSOEndpoint. Larger packets would not fit the
// stack's largest pooled buffer once headers are added.
func (e *Endpoint) GSOMaxSize() uint32 { return 62000 }

// SupportedGSO implements stack.GSOEndpoint.
func (e *Endpoint) SupportedGSO() stack.SupportedGSO { return stack.HostGSOSupported }

// ARPHardwareType implements stack.NetworkLinkEndpoint.
func (e *Endpoint) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }

// AddHeader implements stack.NetworkLinkEndpoint.
func (e *Endpoint) AddHeader(pkt *stack.PacketBuffer) {
	header.Ethernet(pkt.LinkHeader().Push(etherSize)).Encode(&header.EthernetFields{
		SrcAddr: pkt.EgressRoute.LocalLinkAddress,
		DstAddr: pkt.EgressRoute.RemoteLinkAddress,
		Type:    pkt.NetworkProtocolNumber,
	})
}

// ParseHeader implements stack.NetworkLinkEndpoint.
func (e *Endpoint) ParseHeader(pkt *stack.PacketBuffer) bool {
	_, ok := pkt.LinkHeader().Consume(etherSize)
	return ok
}

// Attach implements stack.NetworkLinkEndpoint. The first dispatcher starts the
// receive goroutine; nil detaches, and frames are dropped.
func (e *Endpoint) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		e.dispatcher.Store(nil)
		return
	}
	e.dispatcher.Store(&d)
	e.start.Do(func() { e.running.Go(e.receive) })
}

// IsAttached implements stack.NetworkLinkEndpoint.
func (e *Endpoint) IsAttached() bool { return e.dispatcher.Load() != nil }

// Wait implements stack.NetworkLinkEndpoint: it returns when the receive
// goroutine has ended, which Close makes it do.
func (e *Endpoint) Wait() { e.running.Wait() }

// SetOnCloseAction implements stack.NetworkLinkEndpoint.
func (e *Endpoint) SetOnCloseAction(f func()) {
	e.closeMu.Lock()
	e.onClose = f
	e.closeMu.Unlock()
}

// Close implements stack.NetworkLinkEndpoint: it closes the port.
func (e *Endpoint) Close() {
	e.closeMu.Lock()
	f := e.onClose
	e.onClose = nil
	e.closeMu.Unlock()
	if f != nil {
		f()
	}
	if err := e.dev.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		e.log.Warn("closing the network port", "err", err)
	}
}

// view wraps a frame as the packet the stack wants.
func (e *Endpoint) wrap(v *buffer.View) (*stack.PacketBuffer, tcpip.NetworkProtocolNumber, bool) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)})
	h, ok := pkt.LinkHeader().Consume(etherSize)
	if !ok {
		pkt.DecRef()
		return nil, 0, false
	}
	eth := header.Ethernet(h)
	switch dst := eth.DestinationAddress(); {
	case dst == header.EthernetBroadcastAddress:
		pkt.PktType = tcpip.PacketBroadcast
	case header.IsMulticastEthernetAddress(dst):
		pkt.PktType = tcpip.PacketMulticast
	default:
		pkt.PktType = tcpip.PacketHost
	}
	return pkt, eth.Type(), true
}
