package rawtls

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// Record types, RFC 8446 section 5.1.
const (
	TypeAlert       = 21
	TypeHandshake   = 22
	TypeApplication = 23
)

// MaxData is the most that a record may carry.
const MaxData = 16 << 10

// Record is one record before encryption. The zero Data is an empty one.
type Record struct {
	Type    byte // 0 means TypeApplication
	Data    []byte
	Padding int // zeros behind it, TLS 1.3 only
}

// Text is a record of application data.
func Text(s string) Record { return Record{Data: []byte(s)} }

// CloseNotify is the alert that ends the data properly.
func CloseNotify() Record { return Record{Type: TypeAlert, Data: []byte{1, 0}} }

// Peer is one end of a TLS connection.
type Peer struct {
	conn    *tls.Conn
	raw     net.Conn
	protect protector
	seq     uint64
}

// Client shakes hands on raw as a client, in the versions and suites of config: TLS 1.3,
// or TLS 1.2 with AES-GCM or AES-CBC. config is not changed.
func Client(ctx context.Context, raw net.Conn, config *tls.Config) (*Peer, error) {
	return shake(ctx, raw, config, true)
}

// Server is Client for the other role. It gives out no tickets.
func Server(ctx context.Context, raw net.Conn, config *tls.Config) (*Peer, error) {
	return shake(ctx, raw, config, false)
}

func shake(ctx context.Context, raw net.Conn, config *tls.Config, client bool) (*Peer, error) {
	var log bytes.Buffer
	config = config.Clone()
	config.KeyLogWriter = &log
	config.SessionTicketsDisabled = true // each would be a record that isn't counted here
	w := &witness{Conn: raw, sends: !client}
	p := &Peer{raw: raw}
	if client {
		p.conn = tls.Client(w, config)
	} else {
		p.conn = tls.Server(w, config)
	}
	if err := p.conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	state := p.conn.ConnectionState()
	var err error
	if state.Version == tls.VersionTLS13 {
		label := "SERVER_TRAFFIC_SECRET_0"
		if client {
			label = "CLIENT_TRAFFIC_SECRET_0"
		}
		_, secret, ok := find(log.String(), label)
		if !ok {
			return nil, errors.New("rawtls: the key log has no " + label)
		}
		p.protect, err = modern(state.CipherSuite, secret)
		return p, err
	}
	random, master, ok := find(log.String(), "CLIENT_RANDOM")
	if !ok || len(w.hello) < helloSize {
		return nil, errors.New("rawtls: the keys' ingredients were not seen")
	}
	p.seq = 1 // Finished was the first
	p.protect, err = classic(state.Version, state.CipherSuite, master, random, w.hello[helloSize-32:], client)
	return p, err
}

// find returns the line of a key log that begins with label.
func find(log, label string) (random, secret []byte, ok bool) {
	for line := range strings.Lines(log) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != label {
			continue
		}
		random, err := hex.DecodeString(f[1])
		if err != nil {
			return nil, nil, false
		}
		secret, err := hex.DecodeString(f[2])
		return random, secret, err == nil
	}
	return nil, nil, false
}

// helloSize is how long a server's first record is, up to the end of its random: the
// headers of record and message, the version, 32 bytes.
const helloSize = 5 + 4 + 2 + 32

// witness keeps the beginning of what the server sends.
type witness struct {
	net.Conn
	sends bool // we are the server
	hello []byte
}

func (w *witness) see(p []byte) {
	if missing := helloSize - len(w.hello); missing > 0 {
		w.hello = append(w.hello, p[:min(missing, len(p))]...)
	}
}

func (w *witness) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if !w.sends {
		w.see(p[:n])
	}
	return n, err
}

func (w *witness) Write(p []byte) (int, error) {
	if w.sends {
		w.see(p)
	}
	return w.Conn.Write(p)
}

// Send sends records, all in one write.
func (p *Peer) Send(records ...Record) error {
	var wire []byte
	for _, r := range records {
		if r.Type == 0 {
			r.Type = TypeApplication
		}
		if len(r.Data)+r.Padding > MaxData {
			return fmt.Errorf("rawtls: %d bytes and %d of padding don't fit into a record", len(r.Data), r.Padding)
		}
		var err error
		if wire, err = p.protect(wire, p.seq, r); err != nil {
			return err
		}
		p.seq++
	}
	_, err := p.raw.Write(wire)
	return err
}

// Repeat is n times r.
func Repeat(r Record, n int) []Record { return slices.Repeat([]Record{r}, n) }

// Read reads what the other end sends.
func (p *Peer) Read(b []byte) (int, error) { return p.conn.Read(b) }

// ConnectionState returns what was negotiated.
func (p *Peer) ConnectionState() tls.ConnectionState { return p.conn.ConnectionState() }

// Close closes the transport, without an alert.
func (p *Peer) Close() error { return p.raw.Close() }

var _ io.ReadCloser = (*Peer)(nil)
