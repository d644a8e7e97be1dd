package tlsio

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// Times of a server's own ticket keys: those of crypto/tls, RFC 8446 section 4.6.1.
const (
	ticketRotation = 24 * time.Hour     // a new key for new tickets
	ticketLifetime = 7 * 24 * time.Hour // old keys still open tickets

	// maxTicketKeys are as many as a clock that runs needs. One that swings would
	// make more without end.
	maxTicketKeys = int(ticketLifetime/ticketRotation) + 1
)

// TicketKeys are a server's keys for session tickets, given by the program: so
// several servers can resume each other's sessions. The first makes new tickets, all
// open them; each has 32 random bytes. The program rotates them by Reload. Whoever
// has a key can read what TLS 1.2 sends in resumed sessions, and pose as clients that
// have proved who they are.
//
// Without it, keys are made at random and rotated each day. Either way each identity
// has keys of its own, derived from these.
type TicketKeys [][]byte

func (k TicketKeys) apply(b *builder) {
	if !b.terms.server {
		b.add("", nil, "TicketKeys are for servers; leave them out")
	}
	if b.options.NoSessions {
		b.add("", nil, "TicketKeys have no use with NoSessions; leave one out")
	}
	if len(k) == 0 || len(k) > 16 {
		b.add("", len(k), "use 1 to 16 keys")
	}
	t := &ticketer{fixed: true}
	for i, key := range k {
		if len(key) != 32 {
			b.add(fmt.Sprintf("[%d]", i), nil, "a ticket key has 32 random bytes")
			return
		}
		t.keys = append(t.keys, ticketKey{key: [32]byte(key)})
	}
	t.version = 1
	b.terms.useTickets(t)
}

type ticketKey struct {
	key     [32]byte
	created time.Time
}

// ticketer makes and rotates a server's ticket keys, by the clock of whoever asks.
type ticketer struct {
	mu      sync.Mutex
	keys    []ticketKey // newest first
	fixed   bool        // given by the program: no rotation
	version int         // grows with each change of keys
}

// at returns the keys that count at a time, derived for a purpose, and their
// version. If the version is known already, the keys are nil.
func (t *ticketer) at(now time.Time, known int, purpose string) ([][32]byte, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.fixed && (len(t.keys) == 0 || now.Sub(t.keys[0].created) >= ticketRotation || now.Before(t.keys[0].created.Add(-ticketRotation))) {
		// The second condition is a clock that was set back.
		next := []ticketKey{{created: now}}
		rand.Read(next[0].key[:])
		for _, k := range t.keys {
			if age := now.Sub(k.created); age < ticketLifetime && age > -ticketLifetime && len(next) < maxTicketKeys {
				next = append(next, k)
			}
		}
		t.keys = next
		t.version++
	}
	if t.version == known {
		return nil, known
	}
	derived := make([][32]byte, len(t.keys))
	for i, k := range t.keys {
		h := hmac.New(sha256.New, k.key[:])
		h.Write([]byte("tlsio ticket key\x00" + purpose))
		h.Sum(derived[i][:0])
	}
	return derived, t.version
}

// useTickets makes t the source of b's ticket keys.
func (t *terms) useTickets(keys *ticketer) {
	t.tickets = keys
	t.freshen = (*terms).freshenTickets
}

// freshenTickets gives config the keys of now.
func (t *terms) freshenTickets() {
	t.ticketMu.Lock()
	defer t.ticketMu.Unlock()
	if keys, version := t.tickets.at(t.rules.time(), t.ticketVersion, ""); keys != nil {
		t.config.SetSessionTicketKeys(keys)
		t.ticketVersion = version
	}
}

// keepTickets lets the tickets of a context outlive Reload: their clients are judged
// by the rules of the day.
func (c *SecureContext) keepTickets(t *terms) {
	if t.config.SessionTicketsDisabled || t.tickets != nil && t.tickets.fixed {
		return
	}
	if old := c.current.Load(); old != nil && old != t && old.tickets != nil && !old.tickets.fixed {
		t.useTickets(old.tickets)
	} else if t.tickets == nil {
		t.useTickets(&ticketer{})
	}
}
