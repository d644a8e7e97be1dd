package firmware_test

import (
	"bufio"
	"context"
	"embed"
	"fmt"
	"net"
	"time"

	"ingot.dev/certs"
	"ingot.dev/firmware"
	"ingot.dev/tlsio"
)

// In a program of its own this stands after //go:embed all:certs/image.
var certificates embed.FS

// The whole of a firmware that echoes.
func ExampleMain() {
	firmware.Main(firmware.Config{
		Certs:    certificates,
		Services: []firmware.Service{{Name: "echo", Listen: ":8443", Serve: firmware.Echo}},
	})
}

// A service that only known clients reach, each of which gets a line a second until
// it has enough.
func ExampleService() {
	ticker := firmware.Service{
		Name:   "ticker",
		Listen: ":9443",
		TLS:    tlsio.TLSOptions{ClientAuth: tlsio.ClientAuthRequire, MaxConnections: 16},
		Serve: func(ctx context.Context, conn net.Conn) {
			for now := range time.Tick(time.Second) {
				if _, err := fmt.Fprintln(conn, now.UTC().Format(time.RFC3339)); err != nil {
					return // closed, by the client or because ctx has ended
				}
			}
		},
	}
	firmware.Main(firmware.Config{Certs: certificates, Services: []firmware.Service{ticker}})
}

// Clients are judged by the anchors in the store's group "fleet", and by the lists of
// what was revoked in its folder crls.
func ExampleJudgedBy() {
	service := firmware.Service{
		Name:    "control",
		Listen:  ":9443",
		TLS:     tlsio.TLSOptions{ClientAuth: tlsio.ClientAuthRequire},
		Prepare: firmware.JudgedBy("fleet"),
		Serve:   firmware.Echo,
	}
	firmware.Main(firmware.Config{Certs: certificates, Rules: certs.Rules(), Services: []firmware.Service{service}})
}

// What is not a TLS service runs in Background, on the same network: here it asks
// another machine.
func ExampleConfig_background() {
	firmware.Main(firmware.Config{
		Certs: certificates,
		Background: func(ctx context.Context, s *firmware.System) error {
			conn, err := s.Net.DialContext(ctx, "tcp", "time.example:13")
			if err != nil {
				return fmt.Errorf("daytime: %w", err)
			}
			defer conn.Close()
			line, err := bufio.NewReader(conn).ReadString('\n')
			s.Log.Info("daytime", "says", line, "err", err)
			return nil
		},
	})
}
