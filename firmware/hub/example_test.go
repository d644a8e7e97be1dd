package hub_test

import (
	"embed"
	"log"
	"os"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/hub"
)

// In a program of its own this stands after //go:embed all:certs/image.
var certificates embed.FS

// A device in the middle of others, which show their certificates and a password.
func ExampleNew() {
	devices, err := hub.New(hub.Options{
		Options:  endpoint.Options{Name: "devices", Listen: ":8888", ClientGroup: "devices", MaxConnections: 60},
		Password: os.Getenv("HUB_PASSWORD"),
	})
	if err != nil {
		log.Fatal(err)
	}
	firmware.Main(firmware.Config{Certs: certificates, Services: []firmware.Service{devices}})
}
