package dhcp4

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

// Transport carries messages: the UDP payload between the client's port 68 and
// the servers' port 67.
type Transport interface {
	// Broadcast sends from 0.0.0.0 to 255.255.255.255 on the local network.
	Broadcast(msg []byte) error
	// Unicast sends from the leased address to a server.
	Unicast(server netip.Addr, msg []byte) error
	// Receive waits for a message to port 68. It returns an error when ctx
	// ends, and only then or when it will never work again.
	Receive(ctx context.Context) ([]byte, error)
}

// Config says for whom to obtain a lease. All fields but Hostname and Log are
// needed.
type Config struct {
	HardwareAddr net.HardwareAddr
	Hostname     string
	Transport    Transport

	// Bound is called with each lease that was granted, also when it is the
	// same one for longer. An error makes the client start over.
	Bound func(Lease) error
	// Lost is called when the lease ended or was taken back.
	Lost func()

	Log *slog.Logger // nil for slog.Default()
}

// Times of the client.
const (
	// Retransmission of what is broadcast without a lease: doubled from first
	// to last, each time with up to a second of jitter (RFC 2131 §4.1, which
	// would start at 4 s; a board that boots is waited for).
	retryFirst = time.Second
	retryLast  = 64 * time.Second

	// requests is how often an offer is requested before the next DISCOVER.
	requests = 4

	// restartWait keeps a client and a server that don't agree from filling
	// the network.
	restartWait = time.Second

	// retryLeast is the least time between attempts to keep a lease (RFC 2131
	// §4.4.5).
	retryLeast = time.Minute
)

// Run obtains a lease and keeps it until ctx ends. It returns ctx's error, or
// the transport's.
func Run(ctx context.Context, c Config) error {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	k := &client{Config: c, messages: make(chan []byte, 4), start: time.Now()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(k.pump(ctx))
	}()
	defer func() { <-done }()
	defer cancel(nil)

	for ctx.Err() == nil {
		lease, err := k.acquire(ctx)
		for err == nil {
			if err = c.Bound(lease); err != nil {
				err = fmt.Errorf("using the lease of %v: %w", lease.Prefix, err)
				break
			}
			lease, err = k.keep(ctx, lease)
		}
		if ctx.Err() != nil {
			break
		}
		if k.bound {
			k.bound = false
			c.Lost()
		}
		k.Log.Warn("DHCP starts over", "err", err)
		k.sleep(ctx, restartWait)
		k.start = time.Now()
	}
	return context.Cause(ctx)
}

type client struct {
	Config
	messages chan []byte
	start    time.Time // of this attempt to get an address
	xid      [4]byte
	bound    bool
}

// pump hands on messages until the transport ends. While nobody listens, the
// newest are dropped: requests are repeated.
func (k *client) pump(ctx context.Context) error {
	for {
		msg, err := k.Transport.Receive(ctx)
		if err != nil {
			return err
		}
		select {
		case k.messages <- msg:
		default:
		}
	}
}

// Errors of the states.
var (
	errNoAnswer = errors.New("no answer to the requests for the offered address")
	errNak      = errors.New("the server refused the address")
	errExpired  = errors.New("the lease ended")
)

// acquire gets a lease: DISCOVER, OFFER, REQUEST, ACK (RFC 2131 §3.1).
func (k *client) acquire(ctx context.Context) (Lease, error) {
	k.newTransaction()
	var offered *reply
	wait := retryFirst
	for attempt := 1; offered == nil; attempt++ {
		if attempt == 4 {
			k.Log.Warn("no DHCP server answers yet")
		}
		k.broadcast(k.message(discover))
		offered = k.await(ctx, jitter(wait), func(r *reply) bool { return r.kind == offer })
		if err := ctx.Err(); err != nil {
			return Lease{}, err
		}
		wait = min(wait*2, retryLast)
	}

	wait = retryFirst
	for range requests {
		m := k.message(request)
		m.options[optRequestedAddr] = offered.lease.Prefix.Addr().AsSlice()
		m.options[optServer] = offered.server.AsSlice()
		sent := time.Now()
		k.broadcast(m)
		answer := k.await(ctx, jitter(wait), func(r *reply) bool {
			return r.server == offered.server && (r.kind == nak ||
				r.kind == ack && r.lease.Prefix.Addr() == offered.lease.Prefix.Addr())
		})
		if err := ctx.Err(); err != nil {
			return Lease{}, err
		}
		if answer != nil {
			return k.granted(answer, sent)
		}
		wait *= 2
	}
	return Lease{}, errNoAnswer
}

// granted returns the lease of an acknowledgement.
func (k *client) granted(r *reply, sent time.Time) (Lease, error) {
	if r.kind == nak {
		return Lease{}, errNak
	}
	k.bound = true
	r.lease.Granted = sent
	return r.lease, nil
}

// keep waits until the lease is due and has it renewed (RFC 2131 §4.4.5). It
// returns the new lease, or why there is none.
func (k *client) keep(ctx context.Context, l Lease) (Lease, error) {
	if l.Expire == 0 {
		<-ctx.Done()
		return Lease{}, ctx.Err()
	}
	renew, rebind, expire := l.Granted.Add(l.Renew), l.Granted.Add(l.Rebind), l.Granted.Add(l.Expire)
	k.sleep(ctx, time.Until(renew))
	k.start = time.Now()
	k.newTransaction()
	for {
		now := time.Now()
		if err := ctx.Err(); err != nil {
			return Lease{}, err
		}
		if !now.Before(expire) {
			return Lease{}, errExpired
		}
		m := k.message(request)
		m.client = l.Prefix.Addr()
		m.broadcast = false
		phase := expire
		renewing := now.Before(rebind)
		if renewing {
			phase = rebind
			if err := k.Transport.Unicast(l.Server, m.encode()); err != nil {
				k.Log.Debug("sending to the DHCP server", "err", err)
			}
		} else {
			k.broadcast(m)
		}
		left := phase.Sub(now)
		answer := k.await(ctx, min(max(left/2, retryLeast), left), func(r *reply) bool {
			if renewing && r.server != l.Server {
				return false
			}
			return r.kind == nak ||
				r.kind == ack && r.lease.Prefix.Addr() == l.Prefix.Addr()
		})
		if answer != nil {
			return k.granted(answer, now)
		}
	}
}

// await returns the first reply that is wanted, or nil after a time.
func (k *client) await(ctx context.Context, d time.Duration, want func(*reply) bool) *reply {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			return nil
		case msg := <-k.messages:
			r, err := parseReply(msg, k.xid, k.HardwareAddr)
			switch {
			case err != nil:
				k.Log.Debug("DHCP message dropped", "err", err)
			case want(r):
				return r
			}
		}
	}
}

// newTransaction draws a transaction id and forgets what came for the last one.
func (k *client) newTransaction() {
	x := rand.Uint32()
	k.xid = [4]byte{byte(x), byte(x >> 8), byte(x >> 16), byte(x >> 24)}
	for {
		select {
		case <-k.messages:
		default:
			return
		}
	}
}

// message starts a message. Servers are asked to broadcast their answers: before
// the address is ours, the stack takes no unicast to it.
func (k *client) message(kind messageType) *message {
	m := &message{
		op:        opRequest,
		xid:       k.xid,
		secs:      uint16(min(time.Since(k.start)/time.Second, 0xffff)),
		broadcast: true,
		hw:        k.HardwareAddr,
		options: options{
			optMessageType: {byte(kind)},
			optClientID:    clientID(k.HardwareAddr),
			optMaxMessage:  {1500 >> 8, 1500 & 0xff},
			optParameters:  {optMask, optRouter, optDNS, optNTP, optLeaseTime, optRenew, optRebind},
		},
	}
	if k.Hostname != "" {
		m.options[optHostname] = []byte(k.Hostname)
	}
	return m
}

func (k *client) broadcast(m *message) {
	if err := k.Transport.Broadcast(m.encode()); err != nil {
		k.Log.Debug("sending to DHCP servers", "err", err)
	}
}

func (k *client) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// jitter keeps clients that were switched on together from staying together.
func jitter(d time.Duration) time.Duration {
	return d + rand.N(time.Second)
}
