package certs_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"testing/fstest"
	"time"

	"ingot.dev/certs"
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
