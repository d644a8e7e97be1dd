package endpoint_test

import (
	"context"
	"embed"
	"fmt"
	"log"
	"net"
	"net/netip"
	"time"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
)

// In a program of its own this stands after //go:embed all:certs/image.
var certificates embed.FS

// An echo for clients of one network, each of which may connect twice a second.
func ExampleEcho() {
	echo, err := endpoint.Echo(endpoint.Options{
		Listen: ":8443",
		Allow:  []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Rate:   2, MaxPerAddress: 4,
	})
	if err != nil {
		log.Fatal(err)
	}
	firmware.Main(firmware.Config{Certs: certificates, Services: []firmware.Service{echo}})
}

// Any function that answers a connection becomes a service with the limits of Options.
func ExampleNew() {
	clock, err := endpoint.New(endpoint.Options{Name: "clock", Listen: ":1013"},
		func(_ context.Context, conn net.Conn) {
			fmt.Fprintln(conn, time.Now().UTC().Format(time.RFC3339))
		})
	if err != nil {
		log.Fatal(err)
	}
	firmware.Main(firmware.Config{Certs: certificates, Services: []firmware.Service{clock}})
}
