package endpoint

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Errors for connections that are refused.
var (
	// ErrBlocked: the address is in Block, or not in Allow.
	ErrBlocked = errors.New("endpoint: this address may not connect")
	// ErrTooMany: MaxConnections, of a listener without TLS. (With it, the error is
	// tlsio.ErrTooManyConnections.)
	ErrTooMany = errors.New("endpoint: too many connections")
	// ErrTooManyOfAddress: MaxPerAddress.
	ErrTooManyOfAddress = errors.New("endpoint: too many connections from this address")
	// ErrRate: Rate.
	ErrRate = errors.New("endpoint: too many connections from this address in a short time")
)

// maxAddresses bounds the addresses whose rate is remembered. Of more, the one that
// has waited longest is forgotten.
const maxAddresses = 4096

// admission decides who may come in.
type admission struct {
	allow, block []netip.Prefix
	max          int // connections, 0 for no limit
	perAddress   int // 0 for no limit
	interval     time.Duration
	burst        time.Duration // what an address may be ahead of interval

	mu    sync.Mutex
	open  int
	peers map[netip.Addr]*peer
}

// peer is what is known of an address: for as long as it has connections, or is ahead
// of its rate.
type peer struct {
	open int
	// due is when the address may connect again if it does so evenly: the
	// theoretical arrival time of GCRA (ITU-T I.371).
	due time.Time
}

func newAdmission(o *Options) *admission {
	a := &admission{
		allow: slices.Clone(o.Allow), block: slices.Clone(o.Block),
		perAddress: o.MaxPerAddress, peers: map[netip.Addr]*peer{},
	}
	if o.Rate > 0 {
		a.interval = time.Duration(float64(time.Second) / o.Rate)
		burst := o.Burst
		if burst == 0 {
			burst = int(math.Ceil(o.Rate))
		}
		a.burst = time.Duration(burst-1) * a.interval
	}
	return a
}

// key is what is counted as one address.
func key(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

func listed(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// asks says whether a connection from remote would be let in. It counts nothing: it is
// tlsio.TLSOptions.Admit.
func (a *admission) asks(remote netip.AddrPort) error {
	addr := remote.Addr().Unmap().WithZone("")
	if listed(a.block, addr) || len(a.allow) > 0 && !listed(a.allow, addr) {
		return ErrBlocked
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.room(a.peers[key(addr)], time.Now())
}

// room says whether there is room for one more connection of a peer, which may be nil.
func (a *admission) room(p *peer, now time.Time) error {
	switch {
	case a.max > 0 && a.open >= a.max:
		return ErrTooMany
	case p == nil:
	case a.perAddress > 0 && p.open >= a.perAddress:
		return ErrTooManyOfAddress
	case a.interval > 0 && p.due.Sub(now) > a.burst:
		return ErrRate
	}
	return nil
}

// enter counts a connection, for leave, if there is room for it.
func (a *admission) enter(remote netip.AddrPort) error {
	k, now := key(remote.Addr()), time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.peers[k]
	if err := a.room(p, now); err != nil {
		return err
	}
	if p == nil {
		a.forget(now)
		p = &peer{}
		a.peers[k] = p
	}
	a.open++
	p.open++
	if a.interval > 0 {
		if p.due.Before(now) {
			p.due = now
		}
		p.due = p.due.Add(a.interval)
	}
	return nil
}

// leave undoes the counting of enter, but for the rate.
func (a *admission) leave(remote netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open--
	k := key(remote.Addr())
	p := a.peers[k]
	if p.open--; p.open == 0 && !p.due.After(time.Now()) {
		delete(a.peers, k)
	}
}

// forget makes room for an address: those that are not ahead of their rate any more
// go, and when there are none, the one that is least.
func (a *admission) forget(now time.Time) {
	if len(a.peers) < maxAddresses {
		return
	}
	var least netip.Addr
	for k, p := range a.peers {
		switch {
		case p.open > 0:
		case !p.due.After(now):
			delete(a.peers, k)
		case !least.IsValid() || p.due.Before(a.peers[least].due):
			least = k
		}
	}
	if len(a.peers) >= maxAddresses && least.IsValid() {
		delete(a.peers, least)
	}
}
