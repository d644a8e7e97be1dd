package jsonmsg

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

// attempts counts wrong passwords by address. Its table is bounded: when it is
// full, the address that was seen longest ago is forgotten.
type attempts struct {
	max    int           // 0: no limit
	window time.Duration // that an address is remembered after its last failure
	size   int           // of the table
	now    func() time.Time

	mu    sync.Mutex
	table map[netip.Addr]*list.Element
	order list.List // of *attempt, seen longest ago first
}

type attempt struct {
	addr  netip.Addr
	count int
	until time.Time
	told  bool // that the address is refused
}

// attemptKey returns what an address is counted as: IPv6 by /64, which is what one
// host is usually given (RFC 6177). Addresses that aren't IP count as one.
func attemptKey(a net.Addr) netip.Addr {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return attemptAddr(p.Addr())
}

func attemptAddr(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		addr = prefix.Addr()
	}
	return addr
}

// find returns addr's entry if it is still of interest.
func (a *attempts) find(addr netip.Addr) *attempt {
	e := a.table[addr]
	if e == nil {
		return nil
	}
	t := e.Value.(*attempt)
	if a.now().After(t.until) {
		a.remove(e)
		return nil
	}
	a.order.MoveToBack(e)
	return t
}

func (a *attempts) remove(e *list.Element) {
	a.order.Remove(e)
	delete(a.table, e.Value.(*attempt).addr)
}

// refused reports whether addr may not try now.
func (a *attempts) refused(addr netip.Addr) bool {
	if a.max == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.find(addr)
	return t != nil && t.count >= a.max
}

// news reports whether addr is refused and nobody was told yet.
func (a *attempts) news(addr netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.find(addr)
	if t == nil || t.count < a.max || t.told {
		return false
	}
	t.told = true
	return true
}

// judge has right judge a password of addr; attempted is false, and right isn't called,
// if addr has no attempt left. Wrong passwords count, right ones change nothing. It is
// done under the lock, so that of those who guess side by side no more are judged than
// may be, and those who know the password never stand in each other's way.
func (a *attempts) judge(addr netip.Addr, right func() bool) (attempted, ok bool) {
	if a.max == 0 {
		return true, right()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.find(addr)
	if t != nil && t.count >= a.max {
		return false, false
	}
	if right() {
		return true, true
	}
	if t == nil {
		if len(a.table) >= a.size {
			a.remove(a.order.Front())
		}
		if a.table == nil {
			a.table = make(map[netip.Addr]*list.Element)
		}
		t = &attempt{addr: addr}
		a.table[addr] = a.order.PushBack(t)
	}
	t.count++
	t.until = a.now().Add(a.window)
	return true, false
}
