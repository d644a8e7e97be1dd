package tlsio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// PacketNetwork is a Network that UDP works on too. HostNetwork is one, and so is
// Ingot's.
type PacketNetwork interface {
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
}

// multicaster is a PacketConn that can take part in multicast groups, on the
// interface that the network chooses.
type multicaster interface {
	JoinGroup(group netip.Addr) error
	LeaveGroup(group netip.Addr) error
}

const (
	// maxPacket is the longest payload of UDP over IPv4.
	maxPacket = 65507
	// DefaultQueueBytes is UDPOptions.QueueBytes when that is 0.
	DefaultQueueBytes = 64 << 10
	// packetCost is what a packet that waits to be read counts beside its bytes.
	packetCost = 64
	// sendPatience is how long a full network may hold a try to write up. There are
	// several: on a busy machine one's time may be over before the network was asked.
	sendPatience = 10 * time.Millisecond
	sendTries    = 3
)

// ErrShortBuffer is returned by ReadInto if the next packet is longer than the
// buffer. The packet stays.
var ErrShortBuffer error = &sentinel{"tlsio: the packet is longer than the buffer", nil}

// UDPOptions are the options of ECMA-419 section 10.14.
type UDPOptions struct {
	Address string // local IP address; empty for all
	Port    int    // local port; 0 picks a free one
	Format  Format // FormatBuffer, or empty for it
	Target  any

	// QueueBytes limits the packets that wait to be read, each counted with 64
	// bytes more than it has; what comes when it is reached is dropped, as a
	// network may, and counted. 0 means DefaultQueueBytes.
	QueueBytes int
	// MaxPacket is the longest packet to receive, in bytes; longer ones are dropped
	// and counted, never cut. One such buffer is held all the time. 0 means
	// 65507, the most that IPv4 has.
	MaxPacket int

	// OnReadable is called when packets arrive, with the number that waits. Those
	// that are left unread are not announced again until more arrive.
	OnReadable func(u *UDP, packets int)
	// OnError is called once, when the socket can't go on. After it only Close may
	// be called.
	OnError func(u *UDP, err error)
}

// Packet is a datagram with its sender.
type Packet struct {
	Data    []byte
	Address string // in the form of RemoteAddress
	Port    int
}

// UDP is ECMA-419's UDP class: packets to and from anybody. Make it with NewUDP.
// Its methods never call callbacks, and never wait, but for the few milliseconds that
// Write gives a network without room.
type UDP struct {
	app   *App
	conn  net.PacketConn
	limit int
	targeted

	onReadable func(*UDP, int)
	onError    func(*UDP, error)

	mu      sync.Mutex
	queue   []datagram
	bytes   int
	dropped uint64
	err     error
	closed  bool
	failed  bool // OnError was called
	counted bool // App.Wait waits for it
	events  events
	queued  bool
}

type datagram struct {
	data []byte
	from netip.AddrPort
}

// NewUDP makes a UDP. A port in use is an error here, of StageListen; so is a
// network that has no packets.
func NewUDP(app *App, options UDPOptions) (*UDP, error) {
	const op = "NewUDP"
	var errs optionErrors
	checkApp(&errs, app)
	ip := checkAddress(&errs, options.Address)
	if options.Port < 0 || options.Port > 65535 {
		errs.add("Port", options.Port, "use 0 to 65535; 0 picks a free one")
	}
	if options.Format != "" && options.Format != FormatBuffer {
		errs.add("Format", string(options.Format), `use "buffer"`)
	}
	if options.QueueBytes < 0 {
		errs.add("QueueBytes", options.QueueBytes, "use a positive number, or 0 for the default")
	}
	if options.MaxPacket < 0 || options.MaxPacket > maxPacket {
		errs.add("MaxPacket", options.MaxPacket, "use 1 to 65507, or 0 for the most")
	}
	if err := errs.err(op); err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(ip, strconv.Itoa(options.Port))
	network, ok := app.network.(PacketNetwork)
	if !ok {
		return nil, &Error{Op: op, Addr: addr, Stage: StageListen, Err: ErrNotSupported, Hint: fmt.Sprintf("a %T has no ListenPacket", app.network)}
	}
	conn, err := network.ListenPacket(context.Background(), "udp", addr)
	if err != nil {
		return nil, &Error{Op: op, Addr: addr, Stage: StageListen, Err: err}
	}
	u := &UDP{app: app, conn: conn, limit: options.QueueBytes, onReadable: options.OnReadable, onError: options.OnError, counted: true}
	if u.limit == 0 {
		u.limit = DefaultQueueBytes
	}
	size := options.MaxPacket
	if size == 0 {
		size = maxPacket
	}
	u.SetTarget(options.Target)
	app.addRef()
	go u.receive(make([]byte, size+1)) // one more tells which packets are longer
	return u, nil
}

// receive fills the queue until the socket is closed or fails.
func (u *UDP) receive(buf []byte) {
	for {
		n, from, err := readFrom(u.conn, buf)
		u.mu.Lock()
		switch {
		case u.closed:
			u.mu.Unlock()
			return
		case err != nil && isTemporary(err):
			u.mu.Unlock()
			time.Sleep(5 * time.Millisecond) // out of memory, or a peer's refusal of what was sent
			continue
		case err != nil:
			u.err = newError("Read", u.conn.LocalAddr(), StageRead, nil, false, err)
			u.post(evError)
			u.mu.Unlock()
			return
		case n == len(buf), u.bytes+n+packetCost > u.limit:
			u.dropped++
		default:
			u.queue = append(u.queue, datagram{append([]byte(nil), buf[:n]...), from})
			u.bytes += n + packetCost
			u.post(evReadable)
		}
		u.mu.Unlock()
	}
}

// readFrom is ReadFrom without an allocation where the connection can do that.
func readFrom(c net.PacketConn, buf []byte) (int, netip.AddrPort, error) {
	if c, ok := c.(interface {
		ReadFromAddrPort([]byte) (int, netip.AddrPort, error)
	}); ok {
		n, from, err := c.ReadFromAddrPort(buf)
		return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
	}
	n, from, err := c.ReadFrom(buf)
	return n, addrPort(from), err
}

// post queues events for the loop. u.mu is held.
func (u *UDP) post(e events) {
	if u.closed || u.failed {
		return
	}
	u.events |= e
	if !u.queued {
		u.queued = true
		u.app.push(task{events: u})
	}
}

// dispatch is called by the loop.
func (u *UDP) dispatch() {
	u.mu.Lock()
	u.queued = false
	n := len(u.queue)
	readable := u.events&evReadable != 0 && n > 0
	u.events &^= evReadable
	u.mu.Unlock()
	if readable && u.onReadable != nil {
		u.onReadable(u, n)
	}
	u.mu.Lock()
	failed := u.events&evError != 0 && !u.closed && len(u.queue) == 0
	if failed {
		u.events &^= evError
		u.failed = true
	}
	err := u.err
	u.mu.Unlock()
	if !failed {
		return
	}
	defer u.Unref() // also when it panics
	if u.onError != nil {
		u.onError(u, err)
	}
}

// enter locks the instance, or says why it can't be used.
func (u *UDP) enter(op string) error {
	u.mu.Lock()
	err := ErrClosed
	switch {
	case u.closed:
	case u.failed:
		err = ErrFailed
	default:
		return nil
	}
	u.mu.Unlock()
	return &Error{Op: op, Stage: StageClose, Err: err}
}

// Read returns the oldest packet that waits, or nil if there is none.
func (u *UDP) Read() (*Packet, error) {
	if err := u.enter("Read"); err != nil {
		return nil, err
	}
	defer u.mu.Unlock()
	if len(u.queue) == 0 {
		return nil, nil
	}
	d := u.pop()
	return &Packet{d.data, addressText(d.from), int(d.from.Port())}, nil
}

// ReadInto moves the oldest packet that waits into p and says from whom it is. n is
// -1 if there is none: packets may be empty. If p is too short the error is
// ErrShortBuffer, n the length that is needed, and the packet stays.
func (u *UDP) ReadInto(p []byte) (n int, address string, port int, err error) {
	const op = "ReadInto"
	if err := u.enter(op); err != nil {
		return 0, "", 0, err
	}
	defer u.mu.Unlock()
	if len(u.queue) == 0 {
		return -1, "", 0, nil
	}
	if n := len(u.queue[0].data); n > len(p) {
		return n, "", 0, &Error{Op: op, Stage: StageRead, Err: ErrShortBuffer, Hint: fmt.Sprintf("%d bytes given, %d needed", len(p), n)}
	}
	d := u.pop()
	return copy(p, d.data), addressText(d.from), int(d.from.Port()), nil
}

// pop takes the oldest packet. u.mu is held.
func (u *UDP) pop() datagram {
	d := u.queue[0]
	u.queue[0] = datagram{}
	u.queue = u.queue[1:]
	u.bytes -= len(d.data) + packetCost
	if len(u.queue) == 0 {
		u.queue = nil
		if u.events&evError != 0 {
			u.post(evError)
		}
	}
	return d
}

// Write sends p as one packet to an IP address and port. An error says that it was
// not sent, and leaves the instance usable: ErrOverflow while the network has no
// room. No error does not say that it arrives.
func (u *UDP) Write(p []byte, address string, port int) error {
	const op = "Write"
	if err := u.enter(op); err != nil {
		return err
	}
	u.mu.Unlock()
	var errs optionErrors
	to := net.UDPAddr{IP: nil, Port: port}
	if ip, err := netip.ParseAddr(address); err == nil {
		to.IP, to.Zone = ip.AsSlice(), ip.Zone()
	} else {
		errs.add("address", fmt.Sprintf("%q", address), "use an IP address; resolve names before")
	}
	if port < 1 || port > 65535 {
		errs.add("port", port, "use 1 to 65535")
	}
	if len(p) > maxPacket {
		errs.add("p", fmt.Sprintf("%d bytes", len(p)), "a packet has 65507 bytes at most")
	}
	if err := errs.err(op); err != nil {
		return err
	}
	var err error
	for range sendTries {
		u.conn.SetWriteDeadline(time.Now().Add(sendPatience))
		if _, err = u.conn.WriteTo(p, &to); !isTimeout(err) {
			break
		}
	}
	switch {
	case err == nil:
		return nil
	case isTimeout(err):
		err = ErrOverflow
	case errors.Is(err, net.ErrClosed):
		err = ErrClosed
	}
	return newError(op, &to, StageWrite, nil, false, err)
}

// Add joins a multicast group, so that its packets arrive here too (419's 4th
// edition). Networks without multicast give ErrNotSupported.
func (u *UDP) Add(group string) error { return u.multicast("Add", group, multicaster.JoinGroup) }

// Remove leaves a group that Add has joined.
func (u *UDP) Remove(group string) error {
	return u.multicast("Remove", group, multicaster.LeaveGroup)
}

func (u *UDP) multicast(op, group string, change func(multicaster, netip.Addr) error) error {
	if err := u.enter(op); err != nil {
		return err
	}
	defer u.mu.Unlock()
	ip, err := netip.ParseAddr(group)
	if err != nil || !ip.IsMulticast() {
		return &Error{Op: op, Stage: StageOptions, Err: &OptionError{"group", fmt.Sprintf("%q", group), "use a multicast address: 224.0.0.0/4 or ff00::/8"}}
	}
	m, ok := u.conn.(multicaster)
	if !ok {
		return &Error{Op: op, Stage: StageListen, Err: ErrNotSupported, Hint: "this network has no multicast"}
	}
	return newError(op, u.conn.LocalAddr(), StageListen, nil, false, change(m, ip))
}

// Dropped returns the number of packets that arrived and were dropped, because of
// QueueBytes or MaxPacket. It works on closed instances too.
func (u *UDP) Dropped() uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.dropped
}

// Port returns the local port.
func (u *UDP) Port() (int, error) {
	if err := u.enter("Port"); err != nil {
		return 0, err
	}
	defer u.mu.Unlock()
	return int(addrPort(u.conn.LocalAddr()).Port()), nil
}

// LocalAddress returns the local address in the form of an instance's
// RemoteAddress; the unspecified one stands for all.
func (u *UDP) LocalAddress() (string, error) {
	if err := u.enter("LocalAddress"); err != nil {
		return "", err
	}
	defer u.mu.Unlock()
	return addressText(addrPort(u.conn.LocalAddr())), nil
}

// Format returns FormatBuffer.
func (u *UDP) Format() (Format, error) {
	if err := u.enter("Format"); err != nil {
		return "", err
	}
	u.mu.Unlock()
	return FormatBuffer, nil
}

// SetFormat accepts FormatBuffer only.
func (u *UDP) SetFormat(f Format) error {
	if err := u.enter("SetFormat"); err != nil {
		return err
	}
	u.mu.Unlock()
	if f != FormatBuffer {
		return &Error{Op: "SetFormat", Stage: StageOptions, Err: &OptionError{"Format", string(f), `use "buffer"`}}
	}
	return nil
}

// Close ends the instance, with the packets that were not read. No callback begins
// after it, and all methods but Close, Target and Dropped return ErrClosed. Closing
// again does nothing.
func (u *UDP) Close() error {
	u.mu.Lock()
	if u.closed {
		u.mu.Unlock()
		return nil
	}
	u.closed = true
	u.queue, u.events, u.bytes = nil, 0, 0
	u.mu.Unlock()
	u.Unref()
	return u.conn.Close()
}

// Unref and Ref are as an instance's; see App.Wait.
func (u *UDP) Unref() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.counted {
		u.counted = false
		u.app.dropRef()
	}
}

// Ref undoes Unref.
func (u *UDP) Ref() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.counted && !u.closed && !u.failed {
		u.counted = true
		u.app.addRef()
	}
}
