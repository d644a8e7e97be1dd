package relay_test

import (
	"embed"
	"log"
	"time"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/relay"
)

// In a program of its own this stands after //go:embed all:certs/image.
var certificates embed.FS

// A device that puts TLS in front of an MQTT broker which speaks none, for sensors whose
// certificates the anchors of the group "sensors" have issued.
func ExampleTerminate() {
	mqtt, err := relay.Terminate(relay.TerminateOptions{
		Options: endpoint.Options{
			Name: "mqtt", Listen: ":8883", Identity: "broker.example", ClientGroup: "sensors",
			MaxConnections: 100, MaxPerAddress: 4, Rate: 2, IdleTimeout: 3 * time.Minute,
		},
		To: "10.0.0.5:1883",
	})
	if err != nil {
		log.Fatal(err) // all that is wrong with the options
	}
	firmware.Main(firmware.Config{Certs: certificates, Services: []firmware.Service{mqtt}})
}

// A device through which a machine without TLS reaches a broker that wants it, and a
// client's certificate.
func ExampleOriginate() {
	mqtt, err := relay.Originate(relay.OriginateOptions{
		Options: endpoint.Options{Name: "mqtt", Listen: ":1883"},
		To:      "broker.example:8883",
		Group:   "brokers",
		Present: "client",
	})
	if err != nil {
		log.Fatal(err)
	}
	firmware.Main(firmware.Config{Certs: certificates, Services: []firmware.Service{mqtt}})
}
