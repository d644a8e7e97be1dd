package nodecert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"ingot.dev/tlsio/nodecert"
)

// What JSON.stringify(socket.getPeerCertificate()) begins with.
func ExampleNew() {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(255), Subject: pkix.Name{Country: []string{"CH"}, CommonName: "sensor.test"},
		DNSNames: []string{"sensor.test"}, NotBefore: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)}
	der, _ := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	cert, _ := x509.ParseCertificate(der)

	peer := nodecert.New([]*x509.Certificate{cert})
	subject, _ := json.Marshal(peer.Subject)
	fmt.Printf("%s\n", subject)
	fmt.Println(peer.SubjectAltName, peer.SerialNumber, peer.NISTCurve)
	fmt.Println(peer.ValidTo)
	// Output:
	// {"C":"CH","CN":"sensor.test"}
	// DNS:sensor.test FF P-256
	// Jan  2 03:04:05 2027 GMT
}
