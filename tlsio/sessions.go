package tlsio

import (
	"container/list"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// DefaultSessions is how many sessions a client's SecureContext keeps when no
// SessionCache is given.
const DefaultSessions = 32

// SessionCache keeps the sessions of clients, for resumption: the most recent one
// of each server, and at most as many as NewSessionCache is told. A SecureContext
// has one of its own; give one in TLSOptions.With to bound several contexts
// together. Contexts never see each other's sessions, nor does a context after
// Reload see those from before: a session made under lax rules is never resumed
// under stricter ones. It is safe for concurrent use.
type SessionCache struct {
	mu      sync.Mutex
	limit   int
	byKey   map[string]*list.Element
	recency list.List // of *cachedSession, newest first
}

type cachedSession struct {
	key     string
	session *tls.ClientSessionState
}

// NewSessionCache makes a cache for up to sessions sessions (1 to 65536); a session
// takes about 1 KB and the server's certificates.
func NewSessionCache(sessions int) (*SessionCache, error) {
	if sessions < 1 || sessions > 1<<16 {
		return nil, &Error{Op: "NewSessionCache", Stage: StageOptions, Err: &OptionError{"sessions", sessions, "use 1 to 65536"}}
	}
	return newSessionCache(sessions), nil
}

func newSessionCache(sessions int) *SessionCache {
	return &SessionCache{limit: sessions, byKey: map[string]*list.Element{}}
}

func (c *SessionCache) apply(b *builder) {
	switch {
	case c == nil || c.limit == 0:
		b.add("", nil, "use NewSessionCache to make it")
	case b.terms.server:
		b.add("", nil, "SessionCache is for clients: what a server keeps is in its tickets")
	case b.options.NoSessions:
		b.add("", nil, "SessionCache has no use with NoSessions; leave one out")
	}
	b.terms.sessions = c
}

// Len returns the number of sessions that the cache holds.
func (c *SessionCache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recency.Len()
}

func (c *SessionCache) get(key string) *tls.ClientSessionState {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.recency.MoveToFront(e)
	return e.Value.(*cachedSession).session
}

// put stores a session, or removes what key has if it is nil.
func (c *SessionCache) put(key string, session *tls.ClientSessionState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	switch {
	case session == nil && e != nil:
		c.recency.Remove(e)
		delete(c.byKey, key)
	case session == nil:
	case e != nil:
		e.Value.(*cachedSession).session = session
		c.recency.MoveToFront(e)
	default:
		c.byKey[key] = c.recency.PushFront(&cachedSession{key, session})
		if c.recency.Len() > c.limit {
			last := c.recency.Back()
			c.recency.Remove(last)
			delete(c.byKey, last.Value.(*cachedSession).key)
		}
	}
}

// connSessions is the tls.ClientSessionCache of one connection.
type connSessions struct {
	cache  *SessionCache // nil if the context has none
	key    string
	offer  *tls.ClientSessionState // imported, in place of the cache's
	latest atomic.Pointer[tls.ClientSessionState]
}

func (s *connSessions) Get(string) (*tls.ClientSessionState, bool) {
	session := s.offer
	if session == nil && s.cache != nil {
		session = s.cache.get(s.key)
	}
	return session, session != nil
}

// Put is called with sessions that the server has made, and with nil when one was of
// no use.
func (s *connSessions) Put(_ string, session *tls.ClientSessionState) {
	if session != nil {
		s.latest.Store(session)
	} else if s.offer != nil {
		s.offer = nil
		return
	}
	if s.cache != nil {
		s.cache.put(s.key, session)
	}
}

// generations tells the terms of different contexts apart, and those before and
// after Reload.
var generations atomic.Uint64

// useSessions lets c resume and keep sessions.
func (c *Conn) useSessions(offer *tls.ClientSessionState) *connSessions {
	r := c.rules
	cache, _ := c.terms.sessions.(*SessionCache)
	s := &connSessions{
		cache: cache,
		key:   fmt.Sprintf("%d %s %s", c.terms.generation, r.mode, r.host),
		offer: offer,
	}
	c.sessions = s
	return s
}

// latestSession returns the session that the server has given last.
func (c *Conn) latestSession() *tls.ClientSessionState {
	if s, ok := c.sessions.(*connSessions); ok {
		return s.latest.Load()
	}
	return nil
}

// Errors of sessions.
var (
	// ErrNoSession says that there is no session to export. With TLS 1.3 the server
	// sends it after the handshake, so that one Read at least must come before; some
	// servers make none; and a client keeps sessions only as TLSOptions.NoSessions
	// says.
	ErrNoSession error = &sentinel{"tlsio: the server has given no session (yet)", nil}
	// ErrSessionFormat says that bytes to import are no session.
	ErrSessionFormat error = &sentinel{"tlsio: not a session of this package", nil}
	// ErrServerSession says that a server has no session to export: it is in the
	// ticket that the client holds.
	ErrServerSession error = &sentinel{"tlsio: servers hold no sessions", &errors.ErrUnsupported}
)

// sessionMagic begins an exported session; its last byte is the version.
const sessionMagic = "ingot session\x00\x01"

// maxSession bounds what is imported.
const maxSession = 256 << 10

// Session exports the latest session of a client's connection, for
// SecureOptions.Session or TLSOptions.Session. The bytes hold secrets: whoever has
// them can read what resumed connections of TLS 1.2 send, and pose as this client.
func (c *Conn) Session() ([]byte, error) {
	if c.server {
		return nil, &Error{Op: "Session", Stage: StageOptions, Err: ErrServerSession}
	}
	cs := c.latestSession()
	if cs == nil {
		return nil, &Error{Op: "Session", Stage: StageOptions, Err: ErrNoSession}
	}
	ticket, state, err := cs.ResumptionState()
	if err != nil {
		return nil, &Error{Op: "Session", Stage: StageOptions, Err: err}
	}
	b, err := state.Bytes()
	if err != nil {
		return nil, &Error{Op: "Session", Stage: StageOptions, Err: err}
	}
	out := []byte(sessionMagic)
	for _, part := range [][]byte{[]byte(c.rules.host), ticket, b} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out, nil
}

// SessionTicket returns the ticket of a client's latest session as the server sent
// it; nil if there is none, and on servers.
func (c *Conn) SessionTicket() []byte {
	cs := c.latestSession()
	if cs == nil {
		return nil
	}
	ticket, _, err := cs.ResumptionState()
	if err != nil {
		return nil
	}
	return append([]byte(nil), ticket...)
}

// parseSession is the inverse of Session. Errors wrap ErrSessionFormat.
func parseSession(b []byte) (host string, session *tls.ClientSessionState, err error) {
	rest, ok := strings.CutPrefix(string(b), sessionMagic)
	if !ok || len(b) > maxSession {
		return "", nil, ErrSessionFormat
	}
	var parts [3]string
	for i := range parts {
		if len(rest) < 4 {
			return "", nil, ErrSessionFormat
		}
		n := binary.BigEndian.Uint32([]byte(rest[:4]))
		rest = rest[4:]
		if uint64(n) > uint64(len(rest)) {
			return "", nil, ErrSessionFormat
		}
		parts[i], rest = rest[:n], rest[n:]
	}
	if rest != "" || parts[1] == "" {
		return "", nil, ErrSessionFormat
	}
	// A server's session in its place would have no certificates, on which crypto/tls
	// relies. The third byte of a state is 2 for clients.
	if len(parts[2]) < 3 || parts[2][2] != 2 {
		return "", nil, ErrSessionFormat
	}
	state, err := tls.ParseSessionState([]byte(parts[2]))
	if err != nil {
		return "", nil, fmt.Errorf("%w: %v", ErrSessionFormat, err)
	}
	session, err = tls.NewResumptionState([]byte(parts[1]), state)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %v", ErrSessionFormat, err)
	}
	return parts[0], session, nil
}

// checkSession validates a session to import, for a connection to host.
func checkSession(errs *optionErrors, option string, b []byte, host string, disabled bool) *tls.ClientSessionState {
	if b == nil {
		return nil
	}
	if disabled {
		errs.add(option, nil, "has no use with NoSessions; leave one out")
	}
	of, session, err := parseSession(b)
	switch {
	case err != nil:
		errs.addCause(option, "use what Conn.Session returned", err)
	case of != host:
		errs.add(option, nil, fmt.Sprintf("is a session with %q, not with %q", of, host))
	}
	return session
}
