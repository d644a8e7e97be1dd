package syslog_test

import (
	"embed"
	"log"
	"log/slog"
	"os"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/syslog"
)

// In a program of its own this stands after //go:embed all:certs/image.
var certificates embed.FS

// A device whose log goes to the console and to a collector.
func ExampleNew() {
	collector, err := syslog.New(syslog.Options{
		To: "logs.example:6514", Group: "collectors", Present: "client", Hostname: "gateway-7",
		Console: slog.NewTextHandler(os.Stderr, nil),
	})
	if err != nil {
		log.Fatal(err)
	}
	echo, err := endpoint.Echo(endpoint.Options{Listen: ":8443"})
	if err != nil {
		log.Fatal(err)
	}
	firmware.Main(firmware.Config{
		Certs:    certificates,
		Log:      slog.New(collector),
		Services: []firmware.Service{echo, collector.Service()},
	})
}
