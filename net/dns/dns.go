package dns

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// A Server is a name server and the way to it.
type Server struct {
	Addr netip.AddrPort
	// Dial opens a connection; network is "udp" or "tcp".
	Dial func(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error)
}

const (
	attempts    = 3               // over UDP, where datagrams get lost
	attemptTime = 2 * time.Second // before the next one
	maxUDP      = 512             // RFC 1035 §2.3.4; more comes over TCP
	maxTCP      = 16 << 10
	maxAliases  = 8
)

// Errors, as the Unwrap of the *net.DNSError that Lookup returns.
var (
	ErrNoAnswer  = errors.New("no answer")
	ErrBadAnswer = errors.New("answer makes no sense")
	ErrRefused   = errors.New("server can't or won't answer")
	ErrNoName    = errors.New("no such name")
	ErrBadName   = errors.New("not a domain name")
)

// Lookup returns the IPv4 and IPv6 addresses of a name. Errors are *net.DNSError;
// IsNotFound is set when the server says that there are none.
func (s Server) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if !isDomainName(host) {
		return nil, s.fail(host, ErrBadName)
	}
	type result struct {
		addrs []netip.Addr
		err   error
	}
	results := make(chan result, 2)
	for _, typ := range []uint16{typeA, typeAAAA} {
		go func() {
			addrs, err := s.ask(ctx, question{strings.TrimSuffix(host, "."), typ})
			results <- result{addrs, err}
		}()
	}
	a, b := <-results, <-results
	addrs := append(a.addrs, b.addrs...)
	if len(addrs) > 0 {
		return addrs, nil
	}
	if err := errors.Join(a.err, b.err); err != nil {
		if a.err != nil {
			err = a.err
		}
		return nil, s.fail(host, err)
	}
	return nil, s.fail(host, ErrNoName)
}

func (s Server) fail(host string, err error) error {
	var n net.Error
	notFound := errors.Is(err, ErrNoName) || errors.Is(err, ErrBadName)
	return &net.DNSError{
		Err: err.Error(), UnwrapErr: err, Name: host, Server: s.Addr.String(),
		IsNotFound:  notFound,
		IsTimeout:   errors.Is(err, ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout(),
		IsTemporary: !notFound,
	}
}

// isDomainName refuses what no server can have: RFC 1035 §2.3.4 for the sizes;
// underscores are in use.
func isDomainName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return r <= ' ' || r > '~' || strings.ContainsRune(`"\()<>@,;:[]/`, r)
		}) {
			return false
		}
	}
	return true
}

// ask gets the answer to one question. No error and no addresses mean that the
// name exists without any of this type.
func (s Server) ask(ctx context.Context, q question) ([]netip.Addr, error) {
	var last error
	for range attempts {
		addrs, truncated, err := s.exchange(ctx, "udp", q)
		if truncated {
			addrs, _, err = s.exchange(ctx, "tcp", q)
		}
		if err == nil || errors.Is(err, ErrNoName) || errors.Is(err, ErrRefused) {
			return addrs, err
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func (s Server) exchange(ctx context.Context, network string, q question) (addrs []netip.Addr, truncated bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	conn, err := s.Dial(ctx, network, s.Addr)
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var random [2]byte
	rand.Read(random[:])
	id := binary.BigEndian.Uint16(random[:])
	transfer := overUDP
	if network == "tcp" {
		transfer = overTCP
	}
	query := q.query(make([]byte, 2, maxUDP), id) // 2 for the length over TCP
	addrs, truncated, err = transfer(conn, query, func(b []byte) ([]netip.Addr, bool, error) {
		return parse(b, id, q)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		err = ErrNoAnswer
	case truncated && network == "tcp":
		return nil, false, fmt.Errorf("%w: cut short over TCP", ErrBadAnswer) // not: without addresses
	}
	return addrs, truncated, err
}

type parser func([]byte) ([]netip.Addr, bool, error)

// overUDP passes over datagrams that are not the answer: anybody can send those.
func overUDP(conn net.Conn, query []byte, parse parser) ([]netip.Addr, bool, error) {
	if _, err := conn.Write(query[2:]); err != nil {
		return nil, false, err
	}
	var buf [maxUDP]byte
	for {
		n, err := conn.Read(buf[:])
		if err != nil {
			return nil, false, err
		}
		addrs, truncated, err := parse(buf[:n])
		if !errors.Is(err, ErrBadAnswer) {
			return addrs, truncated, err
		}
	}
}

func overTCP(conn net.Conn, query []byte, parse parser) ([]netip.Addr, bool, error) {
	binary.BigEndian.PutUint16(query, uint16(len(query)-2))
	if _, err := conn.Write(query); err != nil {
		return nil, false, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, false, err
	}
	n := int(binary.BigEndian.Uint16(size[:]))
	if n > maxTCP {
		return nil, false, fmt.Errorf("%w: %d bytes", ErrBadAnswer, n)
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, false, err
	}
	return parse(buf)
}
