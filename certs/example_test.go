package certs_test

import (
	"context"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
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

// Identities and anchors are found by whatever is known of them.
func ExampleStore_FindAnchors() {
	store, err := certs.Load(exampleStore(), certs.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	authority := store.Anchors()[0].Cert
	sha256sum, sha1sum := sha256.Sum256(authority.Raw), sha1.Sum(authority.Raw)
	for _, query := range []certs.Query{
		{Fingerprint: sha256sum[:]},
		{Fingerprint: sha1sum[:]},
		{Subject: authority.RawSubject},
		{KeyID: authority.SubjectKeyId},
	} {
		found, err := store.FindAnchors(query)
		if err != nil {
			fmt.Println(err) // a damaged bundle
		}
		for _, anchor := range found {
			fmt.Println(anchor.File, anchor.Cert.Subject)
		}
	}
	// Output:
	// anchors/ca.der CN=A Public Authority
	// anchors/ca.der CN=A Public Authority
	// anchors/ca.der CN=A Public Authority
	// anchors/ca.der CN=A Public Authority
}

func ExampleStore_FindIdentities() {
	store, err := certs.Load(exampleStore(), certs.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	shop, _ := store.Identity("shop")
	sha256sum, sha1sum := sha256.Sum256(shop.Leaf().Raw), sha1.Sum(shop.Leaf().Raw)
	for _, query := range []certs.Query{
		{Fingerprint: sha256sum[:]},
		{Fingerprint: sha1sum[:]},
		{Subject: shop.Leaf().RawSubject},
	} {
		for _, id := range store.FindIdentities(query) {
			fmt.Println(id)
		}
	}
	// Output:
	// identity "shop" (shop.test; ECDSA P-256)
	// identity "shop" (shop.test; ECDSA P-256)
	// identity "shop" (shop.test; ECDSA P-256)
}

// An identity has the name of its folder.
func ExampleStore_Identity() {
	store, err := certs.Load(exampleStore(), certs.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Identity("shop"))
	_, ok := store.Identity("office")
	fmt.Println(ok)
	// Output:
	// identity "shop" (shop.test; ECDSA P-256) true
	// false
}

// Clients ask for an identity by SNI.
func ExampleStore_Select() {
	store, err := certs.Load(exampleStore(), certs.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"shop.test", "SHOP.test.", "sensor.test", "other.test"} {
		id, ok := store.Select(name)
		fmt.Println(name, id, ok)
	}
	// Output:
	// shop.test identity "shop" (shop.test; ECDSA P-256) true
	// SHOP.test. identity "shop" (shop.test; ECDSA P-256) true
	// sensor.test identity "default" (sensor.test; ECDSA P-256) true
	// other.test identity "default" (sensor.test; ECDSA P-256) true
}

// A keeper of keys that the store doesn't have: here it has one, and in a device it is
// a driver of what can't be read out. In the store, identities/default/key.kept stands in
// the place of key.der; what is in it is for the keeper.
func ExampleKeptBy() {
	fsys := exampleStore()
	inside, err := x509.ParsePKCS8PrivateKey(fsys["identities/default/key.der"].Data)
	if err != nil {
		fmt.Println(err)
		return
	}
	delete(fsys, "identities/default/key.der")
	fsys["identities/default/key.kept"] = &fstest.MapFile{Data: []byte("slot 3")}

	element := func(k certs.KeptKey) (crypto.Signer, error) {
		if string(k.Reference) != "slot 3" {
			return nil, fmt.Errorf("there is no %q", k.Reference)
		}
		return inside.(crypto.Signer), nil
	}
	store, err := certs.Load(fsys, certs.Options{Keeper: certs.KeptBy(element)})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, _ := store.Default()
	fmt.Println(id, id.TLS().PrivateKey)

	_, err = certs.Load(fsys, certs.Options{})
	fmt.Println(err)
	// Output:
	// identity "default" (sensor.test; ECDSA P-256) ECDSA P-256 private key (redacted)
	// identities/default/key.kept: the program is built without the code that reads this; set Keeper in certs.Options, or in firmware.Config
}

// CRLs and pins lie in the store, and tlsio judges by them.
func ExampleRules() {
	fsys := exampleStore()
	pins := "primary sha256/" + strings.Repeat("A", 43) + "= the server's\n" +
		"backup  sha256/" + strings.Repeat("E", 43) + "= in the safe\n"
	fsys["pins/api.test.pins"] = &fstest.MapFile{Data: []byte(pins)} // as 'ingot certs pin' makes it
	store, err := certs.Load(fsys, certs.Options{Rules: certs.Rules()})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tlsio.NewClientContext(tlsio.TLSOptions{
		Roots: store.Roots(""),
		With:  []tlsio.Feature{tlsio.Pins(store.Pins("api.test"))},
	})
	fmt.Println(len(store.Pins("api.test")), "pins", err)
	// Output: 2 pins <nil>
}

// exampleStore has an authority and two identities, "default" and "shop".
func exampleStore() fstest.MapFS {
	ca, err := pki.NewAuthority(pki.Template{CommonName: "A Public Authority"})
	if err != nil {
		panic(err)
	}
	fsys := fstest.MapFS{"anchors/ca.der": {Data: ca.DER()}}
	for folder, name := range map[string]string{"default": "sensor.test", "shop": "shop.test"} {
		id, err := ca.Issue(pki.Template{CommonName: folder, DNSNames: []string{name}})
		if err != nil {
			panic(err)
		}
		key, err := id.KeyDER()
		if err != nil {
			panic(err)
		}
		fsys["identities/"+folder+"/cert.der"] = &fstest.MapFile{Data: id.DER()}
		fsys["identities/"+folder+"/key.der"] = &fstest.MapFile{Data: key}
	}
	return fsys
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
