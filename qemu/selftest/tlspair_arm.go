package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
)

// tlsPair returns both ends of a TLS connection with ChaCha20-Poly1305. What one writes
// the other has to read: nothing waits for it, and nobody else takes part.
func tlsPair() (client, server *tls.Conn, err error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"server.test"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		return nil, nil, err
	}
	a, b := newQueue(), newQueue()
	client = tls.Client(end{in: a, out: b}, &tls.Config{InsecureSkipVerify: true}) // nothing that is secret
	server = tls.Server(end{in: b, out: a}, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}, SessionTicketsDisabled: true})
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-shaken); err != nil {
		return nil, nil, err
	}
	if suite := client.ConnectionState().CipherSuite; suite != tls.TLS_CHACHA20_POLY1305_SHA256 {
		return nil, nil, fmt.Errorf("the cipher is %s", tls.CipherSuiteName(suite))
	}
	return client, server, nil
}

// queue is one direction of a connection.
type queue struct {
	mu    sync.Mutex
	some  sync.Cond
	bytes bytes.Buffer
}

func newQueue() *queue {
	q := new(queue)
	q.some.L = &q.mu
	return q
}

// end is a net.Conn as far as TLS needs it.
type end struct {
	net.Conn
	in, out *queue
}

func (e end) Write(p []byte) (int, error) {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	e.out.some.Signal()
	return e.out.bytes.Write(p)
}

func (e end) Read(p []byte) (int, error) {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	for e.in.bytes.Len() == 0 {
		e.in.some.Wait()
	}
	return e.in.bytes.Read(p)
}
