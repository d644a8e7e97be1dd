package status_test

import (
	"embed"
	"log"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/status"
)

// In a program of its own this stands after //go:embed all:certs/image.
var certificates embed.FS

// An echo that operators can watch: https://HOST:9443/ in a browser that has a
// certificate which the anchors of the group "operators" vouch for.
func ExampleNew() {
	echo, err := endpoint.Echo(endpoint.Options{Listen: ":8443"})
	if err != nil {
		log.Fatal(err)
	}
	watch, err := status.New(status.Options{
		Options: endpoint.Options{Listen: ":9443", ClientGroup: "operators", MaxConnections: 8},
	})
	if err != nil {
		log.Fatal(err)
	}
	firmware.Main(firmware.Config{Certs: certificates, Services: []firmware.Service{echo, watch}})
}
