//go:build !imx6ulevk

package container_test

import (
	"errors"
	"fmt"
	"log"
	"os"

	"ingot.dev/certs/container"
)

func ExampleRead() {
	data, err := os.ReadFile("testdata/p256.p12")
	if err != nil {
		log.Fatal(err)
	}
	found, err := container.Read(data, container.Options{Password: "changeit"})
	if err != nil {
		log.Fatal(err)
	}
	cert := found.Certificates[0]
	fmt.Println(container.Sniff(data), cert.Subject, "with key:", found.Key(cert) != nil)

	_, err = container.Read(data, container.Options{Password: "wrong"})
	fmt.Println("wrong password:", errors.Is(err, container.ErrPassword))
	// Output:
	// PKCS#12 CN=p256.example.test with key: true
	// wrong password: true
}
