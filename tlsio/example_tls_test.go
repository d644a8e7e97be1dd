//go:build !imx6ulevk

package tlsio_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"ingot.dev/tlsio"
)

// serve answers each connection of ln with what its State says of the client.
func serve(ln net.Listener, answer func(tlsio.State) string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.WriteString(c, answer(c.(*tlsio.Conn).State()))
			io.Copy(io.Discard, c)
		}()
	}
}

// ask reads the answer of serve.
func ask(o tlsio.TLSOptions, addr net.Addr) (tlsio.State, *tlsio.Conn, string) {
	c, err := tlsio.Dial(context.Background(), tlsio.HostNetwork{}, addr.String(), o)
	if err != nil {
		panic(err)
	}
	p := make([]byte, 100)
	n, _ := c.Read(p)
	conn := c.(*tlsio.Conn)
	return conn.State(), conn, string(p[:n])
}

// What a connection says about itself.
func ExampleState() {
	cert, key := tlsio.SelfSigned("sensor.test", time.Now().Add(-time.Hour))
	ln, err := tlsio.Listen(context.Background(), tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{
		ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key}, ApplicationLayerProtocol: []string{"telemetry"}})
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	go serve(ln, func(s tlsio.State) string { return "hello" })

	state, conn, _ := ask(tlsio.TLSOptions{Host: "sensor.test", CA: [][]byte{cert},
		MaximumVersion: tlsio.TLSv12, ApplicationLayerProtocol: []string{"telemetry"},
		With: []tlsio.Feature{tlsio.Groups{"secp256r1"}, tlsio.CipherSuites{"ECDHE-ECDSA-AES256-GCM-SHA384"}},
	}, ln.Addr())
	defer conn.Close()
	fmt.Println(state.VersionName(), state.Cipher().StandardName, state.NegotiatedProtocol)
	fmt.Printf("%+v\n", *state.EphemeralKey())
	fmt.Println(state.Authorized(), state.AuthorizationError(), state.PeerCertificates[0].DNSNames)
	binding, err := state.ChannelBinding(tlsio.BindingExporter)
	fmt.Println(len(binding), err)
	// Output:
	// TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 telemetry
	// {Type:ECDH Name:prime256v1 Size:256}
	// true <nil> [sensor.test]
	// 32 <nil>
}

// A session is kept, and resumed later by a program that has only its bytes.
func ExampleConn_Session() {
	cert, key := tlsio.SelfSigned("sensor.test", time.Now().Add(-time.Hour))
	ln, err := tlsio.Listen(context.Background(), tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{
		ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key}})
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	go serve(ln, func(s tlsio.State) string { return fmt.Sprint("resumed: ", s.DidResume) })

	client, err := tlsio.NewClientContext(tlsio.TLSOptions{Host: "sensor.test", CA: [][]byte{cert}})
	if err != nil {
		panic(err)
	}
	_, conn, answer := ask(tlsio.TLSOptions{Context: client}, ln.Addr())
	fmt.Println(answer)
	session, err := conn.Session() // secret bytes, to be kept
	if err != nil {
		panic(err)
	}
	conn.Close()

	_, conn, answer = ask(tlsio.TLSOptions{Host: "sensor.test", CA: [][]byte{cert}, Session: session}, ln.Addr())
	fmt.Println(answer)
	conn.Close()
	// Output:
	// resumed: false
	// resumed: true
}

// One listener is two servers, one of which wants to know its clients.
func ExampleIdentities() {
	public, publicKey := tlsio.SelfSigned("www.test", time.Now().Add(-time.Hour))
	admin, adminKey := tlsio.SelfSigned("admin.test", time.Now().Add(-time.Hour))
	user, userKey := tlsio.SelfSigned("ada", time.Now().Add(-time.Hour))
	ln, err := tlsio.Listen(context.Background(), tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{
		With: []tlsio.Feature{tlsio.Identities{List: []tlsio.Identity{
			{Names: []string{"www.test"}, Certificate: [][]byte{public}, Key: [][]byte{publicKey}},
			{Names: []string{"admin.test"}, Certificate: [][]byte{admin}, Key: [][]byte{adminKey},
				ClientAuth: tlsio.ClientAuthRequire, CA: [][]byte{user}},
		}}},
	})
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	go serve(ln, func(s tlsio.State) string {
		if s.Authorized() {
			return s.ServerName + " for " + s.PeerCertificates[0].Subject.CommonName
		}
		return s.ServerName + " for anybody"
	})
	_, conn, answer := ask(tlsio.TLSOptions{Host: "www.test", CA: [][]byte{public}}, ln.Addr())
	fmt.Println(answer)
	conn.Close()
	_, conn, answer = ask(tlsio.TLSOptions{Host: "admin.test", CA: [][]byte{admin},
		ClientCertificate: [][]byte{user}, ClientKey: [][]byte{userKey}}, ln.Addr())
	fmt.Println(answer)
	conn.Close()
	// Output:
	// www.test for anybody
	// admin.test for ada
}

// Pins beside the chain: a certificate of the right authority with another key is
// refused.
func ExamplePins() {
	cert, key := tlsio.SelfSigned("sensor.test", time.Now().Add(-time.Hour))
	spare, _ := tlsio.SelfSigned("spare", time.Now().Add(-time.Hour))
	other, otherKey := tlsio.SelfSigned("sensor.test", time.Now().Add(-2*time.Hour))
	pin := func(der []byte) string {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		return tlsio.PinOf(c)
	}
	options := tlsio.TLSOptions{Host: "sensor.test", CA: [][]byte{cert, other},
		With: []tlsio.Feature{tlsio.Pins{pin(cert), pin(spare)}}}
	for _, server := range [][2][]byte{{cert, key}, {other, otherKey}} {
		ln, err := tlsio.Listen(context.Background(), tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{
			ServerCertificate: [][]byte{server[0]}, ServerKey: [][]byte{server[1]}})
		if err != nil {
			panic(err)
		}
		go serve(ln, func(tlsio.State) string { return "" })
		c, err := tlsio.Dial(context.Background(), tlsio.HostNetwork{}, ln.Addr().String(), options)
		if err == nil {
			fmt.Println("connected")
			c.Close()
		}
		if pinned, ok := errors.AsType[*tlsio.PinError](err); ok {
			fmt.Println(pinned)
		}
		ln.Close()
	}
	// Output:
	// connected
	// no public key in the peer's chain is pinned
}

// Contexts share a cache of sessions, which bounds what they keep together.
func ExampleNewSessionCache() {
	cert, key := tlsio.SelfSigned("sensor.test", time.Now().Add(-time.Hour))
	ln, err := tlsio.Listen(context.Background(), tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{
		ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key}})
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	go serve(ln, func(s tlsio.State) string { return fmt.Sprint("resumed: ", s.DidResume) })
	cache, err := tlsio.NewSessionCache(8)
	if err != nil {
		panic(err)
	}
	client, err := tlsio.NewClientContext(tlsio.TLSOptions{Host: "sensor.test", CA: [][]byte{cert}, With: []tlsio.Feature{cache}})
	if err != nil {
		panic(err)
	}
	for range 2 {
		_, conn, answer := ask(tlsio.TLSOptions{Context: client}, ln.Addr())
		fmt.Println(answer)
		conn.Close()
	}
	fmt.Println(cache.Len(), "session kept")
	// Output:
	// resumed: false
	// resumed: true
	// 1 session kept
}
