package bench

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"time"
)

// Handshakes of both ends with nothing between them: what identities, groups and sessions
// cost beside each other. The client verifies a certificate that an authority has issued.
func init() {
	for _, identity := range []struct {
		name string
		key  func() (crypto.Signer, error)
	}{
		{"p256", func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
		{"ed25519", func() (crypto.Signer, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		}},
	} {
		for _, group := range []struct {
			name string
			id   tls.CurveID
		}{{"x25519", tls.X25519}, {"p256", tls.CurveP256}, {"hybrid", tls.X25519MLKEM768}} {
			for _, resumed := range []bool{false, true} {
				kind := " full"
				if resumed {
					kind = " resumed"
				}
				name := "both ends " + identity.name + " " + group.name + kind
				primitives = append(primitives, primitive{name, shake(identity.key, group.id, resumed)})
			}
		}
	}
}

// shake prepares handshakes. A resumed one is compared with its full one including the
// ticket that the client gets for the next time.
func shake(newKey func() (crypto.Signer, error), group tls.CurveID, resumed bool) func() (func() error, int, error) {
	return func() (func() error, int, error) {
		client, server, err := configs(newKey, group)
		if err != nil {
			return nil, 0, err
		}
		op := func() error {
			state, err := handshake(client, server)
			if err == nil && state.DidResume != (client.ClientSessionCache != nil) {
				err = errors.New("the handshake was of the other kind")
			}
			return err
		}
		if resumed {
			// The first one is full.
			client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			if _, err := handshake(client, server); err != nil {
				return nil, 0, err
			}
		}
		return op, 0, nil
	}
}

// configs makes an authority, and a server that it vouches for.
func configs(newKey func() (crypto.Signer, error), group tls.CurveID) (client, server *tls.Config, err error) {
	issue := func(serial int64, parent *x509.Certificate, by crypto.Signer) (*x509.Certificate, crypto.Signer, error) {
		key, err := newKey()
		if err != nil {
			return nil, nil, err
		}
		t := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "bench"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			DNSNames: []string{"bench.test"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		if parent == nil {
			t.IsCA, t.BasicConstraintsValid, t.KeyUsage, t.ExtKeyUsage, t.DNSNames = true, true, x509.KeyUsageCertSign, nil, nil
			parent, by = t, key
		}
		der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), by)
		if err != nil {
			return nil, nil, err
		}
		cert, err := x509.ParseCertificate(der)
		return cert, key, err
	}
	ca, caKey, err := issue(1, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	leaf, key, err := issue(2, ca, caKey)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	client = &tls.Config{RootCAs: roots, ServerName: "bench.test", CurvePreferences: []tls.CurveID{group}}
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}
	return client, server, nil
}

// handshake does one, and has the client read a byte: before that comes the ticket.
func handshake(client, server *tls.Config) (tls.ConnectionState, error) {
	a, b := newDuplex()
	defer a.Close()
	served := make(chan error, 1)
	go func() {
		_, err := tls.Server(b, server).Write([]byte{1})
		if err != nil {
			b.Close()
		}
		served <- err
	}()
	c := tls.Client(a, client)
	_, err := io.ReadFull(c, make([]byte, 1))
	if err != nil {
		a.Close()
	}
	return c.ConnectionState(), errors.Join(err, <-served)
}

// duplex is one end of a connection in memory, whose writes don't wait.
type duplex struct{ in, out *stream }

type stream struct {
	mu      sync.Mutex
	changed sync.Cond
	data    bytes.Buffer
	closed  bool
}

func newDuplex() (a, b *duplex) {
	x, y := new(stream), new(stream)
	x.changed.L, y.changed.L = &x.mu, &y.mu
	return &duplex{x, y}, &duplex{y, x}
}

func (d *duplex) Read(p []byte) (int, error) {
	s := d.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.data.Len() == 0 && !s.closed {
		s.changed.Wait()
	}
	return s.data.Read(p)
}

func (d *duplex) Write(p []byte) (int, error) {
	s := d.out
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	s.changed.Broadcast()
	return s.data.Write(p)
}

func (d *duplex) Close() error {
	for _, s := range []*stream{d.in, d.out} {
		s.mu.Lock()
		s.closed = true
		s.changed.Broadcast()
		s.mu.Unlock()
	}
	return nil
}

func (d *duplex) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (d *duplex) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (d *duplex) SetDeadline(time.Time) error      { return nil }
func (d *duplex) SetReadDeadline(time.Time) error  { return nil }
func (d *duplex) SetWriteDeadline(time.Time) error { return nil }
