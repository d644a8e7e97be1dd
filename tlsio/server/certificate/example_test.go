package certificate_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"ingot.dev/tlsio/server/certificate"
)

func ExampleOpen() {
	cert, err := certificate.Open(certificate.Source{
		Type:     certificate.PFXFile,
		FS:       os.DirFS("testdata"),
		Name:     "two.p12",
		Password: "changeit",
		Subject:  "CN=two.example.test",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cert.Subject())
	fmt.Println(cert.PublicKeyAlgorithm(), cert.PublicKeyLength(), cert.Version())
	fmt.Println(cert.In(time.UTC).EffectiveDate())
	// Output:
	// CN=two.example.test
	// ECDSA 256 V3
	// 22-Nov-2026 07:12:54
}

func ExampleOpenStore() {
	store, err := certificate.OpenStore(certificate.Source{
		Type: certificate.PFXFile, FS: os.DirFS("testdata"), Name: "two.p12", Password: "changeit",
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, cert := range store.Certificates() {
		fmt.Println(cert.Subject(), cert.PrivateKeyAvailable())
	}
	found, err := store.Find("two") // a part of the subject is enough
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("found", found.Subject())
	// Output:
	// CN=one.example.test true
	// CN=two.example.test true
	// found CN=two.example.test
}
