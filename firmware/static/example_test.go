package static_test

import (
	"embed"
	"log"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/static"
)

// In a program of its own these stand after //go:embed lines.
var certificates, site embed.FS

// A device that shows its manual.
func ExampleNew() {
	manual, err := static.New(static.Options{
		Options: endpoint.Options{Name: "manual", Listen: ":443", MaxConnections: 20},
		Files:   site,
		Headers: map[string]string{"Content-Security-Policy": "default-src 'self'"},
	})
	if err != nil {
		log.Fatal(err)
	}
	firmware.Main(firmware.Config{Certs: certificates, Services: []firmware.Service{manual}})
}
