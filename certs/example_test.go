package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"testing/fstest"
	"time"

	"ingot.dev/certs"
	"ingot.dev/internal/pki"
	"ingot.dev/tlsio"
)

// A store that holds nothing usable is refused with everything that is wrong
// with it. In a firmware the file system is usually an embed.FS.
func ExampleLoad() {
	fsys := fstest.MapFS{
		"anchors/ca.pem":              {Data: []byte("-----BEGIN CERTIFICATE-----\nMII...\n-----END CERTIFICATE-----\n")},
		"identities/default/cert.der": {Data: []byte{}},
		"identities/default/key.der":  {Data: []byte("hello")},
	}
	_, err := certs.Load(fsys, certs.Options{})
	for _, problem := range certs.Problems(err) {
		fmt.Printf("%s: %s\n    %s\n", problem.File, problem.Reason, problem.Fix)
	}
	fmt.Println("PEM found:", errors.Is(err, certs.ErrPEM))
	// Output:
	// anchors/ca.pem: the file is PEM ("CERTIFICATE"); this store holds DER
	//     convert it: openssl x509 -in anchors/ca.pem -outform DER -out anchors/ca.der && rm anchors/ca.pem
	// identities/default/cert.der: the file is empty
	//     write the DER certificate into it
	// identities/default/key.der: the file does not start with a DER SEQUENCE (byte 0x30) but with 0x68
	//     export the key again in PKCS#8 DER, such as with 'openssl pkcs8 -topk8 -nocrypt -outform DER'
	// PEM found: true
}

// A server that demands a certificate from its clients.
func ExampleStore_GetCertificate() {
	var store *certs.Store // from Load

	config := &tls.Config{
		GetCertificate: store.GetCertificate,
		ClientAuth:     tls.RequireAndVerifyClientCert,
		ClientCAs:      store.Roots("clients"),
	}
	_ = config
}

// A client that presents an identity of the store and says plainly why it does
// not like a server.
func ExampleExplain() {
	dial := func(store *certs.Store, address string) (*tls.Conn, error) {
		device, ok := store.Identity("client")
		if !ok {
			return nil, errors.New("no identity called client")
		}
		conn, err := tls.Dial("tcp", address, &tls.Config{
			RootCAs:              store.Roots(""),
			GetClientCertificate: device.GetClientCertificate,
		})
		if err != nil {
			return nil, certs.Explain(err)
		}
		return conn, nil
	}
	_ = dial
}

// On a device, validity must be judged on a clock that has been set.
func ExampleOptions() {
	clock := func() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }
	_, err := certs.Load(fstest.MapFS{}, certs.Options{Now: clock})
	fmt.Println(errors.Is(err, certs.ErrLayout))
	// Output: true
}

func ExampleCheckDNSName() {
	for _, name := range []string{"sensor.example", "*.sensor.example", "sensor*.example", "192.0.2.7"} {
		fmt.Println(name, certs.CheckDNSName(name))
	}
	// Output:
	// sensor.example <nil>
	// *.sensor.example <nil>
	// sensor*.example malformed DNS name: a wildcard must be the whole first label, followed by a domain
	// 192.0.2.7 malformed DNS name: an IP address belongs in an iPAddress name (openssl: 'IP:' in place of 'DNS:')
}

// A client that trusts as many authorities as a browser, and holds none of them in
// memory. In a firmware, Config.Bundles takes the place of Options.
func ExampleStore_RootsFor() {
	authority, server := exampleAuthority()
	bundle, err := certs.Bundle([]*x509.Certificate{authority}) // as 'ingot certs bundle' makes it
	if err != nil {
		fmt.Println(err)
		return
	}
	fsys := fstest.MapFS{"anchors/public/all.bundle": {Data: bundle}}
	store, err := certs.Load(fsys, certs.Options{Bundles: certs.Bundles()})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := tlsio.NewClientContext(tlsio.TLSOptions{
		With: []tlsio.Feature{tlsio.RootsFor(func(chain []*x509.Certificate) (*x509.CertPool, error) {
			return store.RootsFor(chain, "public")
		})},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	near, far := net.Pipe()
	go tls.Server(far, &tls.Config{Certificates: []tls.Certificate{server}}).Handshake()
	conn, err := client.Secure(context.Background(), near, tlsio.SecureOptions{Host: "shop.test"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer far.Close()
	state := conn.State()
	fmt.Println("trusted by way of", state.VerifiedChains[0][1].Subject)
	// Output: trusted by way of CN=A Public Authority
}

// exampleAuthority returns an authority, and a server that it has issued a
// certificate to.
func exampleAuthority() (*x509.Certificate, tls.Certificate) {
	ca, err := pki.NewAuthority(pki.Template{CommonName: "A Public Authority"})
	if err != nil {
		panic(err)
	}
	server, err := ca.Issue(pki.Template{DNSNames: []string{"shop.test"}})
	if err != nil {
		panic(err)
	}
	return ca.Cert, server.TLS()
}
