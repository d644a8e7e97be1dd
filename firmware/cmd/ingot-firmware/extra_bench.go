//go:build bench

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"ingot.dev/firmware"
	"ingot.dev/firmware/bench"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/relay"
	"ingot.dev/tlsio"
)

// extra services: those that 'ingot bench' measures with. Such an image must not
// be used for anything else: whoever reaches its ports can keep it busy.
func extra(echo *tlsio.TLSOptions) ([]firmware.Service, func(context.Context, *firmware.System) error) {
	// What handshakes cost is to be measured, not how many are let in.
	unlimited := tlsio.HandshakeRate{PerSecond: 1e6}
	echo.HandshakeRate = unlimited
	service := func(name string, port int, serve func(context.Context, net.Conn)) firmware.Service {
		return firmware.Service{Name: name, Listen: fmt.Sprintf(":%d", port), Serve: serve, TLS: tlsio.TLSOptions{HandshakeRate: unlimited}}
	}
	// Idle connections are to be counted until memory ends, not until there could be
	// too many that send and never read.
	held := service("held", bench.PortHeld, firmware.Echo)
	held.TLS.MaxConnections = 1 << 16
	held.TLS.HandshakeTimeout = time.Minute // on a host that is busy
	services := []firmware.Service{
		held,
		service("bench control", bench.PortControl, bench.Control),
		service("sink", bench.PortTLSSink, bench.Sink),
		service("source", bench.PortTLSSource, bench.Source),
	}
	for _, to := range []struct {
		setting string
		port    int
	}{{bench.ToSinkVar, bench.PortToSink}, {bench.ToSourceVar, bench.PortToSource}} {
		if address := os.Getenv(to.setting); address != "" {
			relayed, err := relay.Terminate(relay.TerminateOptions{
				Options: endpoint.Options{Name: "relay to " + address, Listen: fmt.Sprintf(":%d", to.port)},
				To:      address,
			})
			if err != nil {
				panic(fmt.Sprintf("%s=%q: %v", to.setting, address, err))
			}
			services = append(services, relayed)
		}
	}
	return services, servePlain
}

// servePlain serves sink, source and echo in the clear.
func servePlain(ctx context.Context, s *firmware.System) error {
	services := []firmware.Service{
		{Name: "plaintext sink", Serve: bench.Sink},
		{Name: "plaintext source", Serve: bench.Source},
		{Name: "plaintext echo", Serve: bench.Echo},
	}
	ports := []int{bench.PortSink, bench.PortSource, bench.PortPlainEcho}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	defer running.Wait()
	for i := range services {
		l, err := s.Net.Listen(ctx, "tcp", fmt.Sprintf(":%d", ports[i]))
		if err != nil {
			cancel(err)
			return fmt.Errorf("%s: %w", services[i].Name, err)
		}
		running.Go(func() {
			if err := s.Serve(ctx, l, &services[i]); err != nil {
				cancel(fmt.Errorf("%s: %w", services[i].Name, err))
			}
		})
	}
	s.Log.Warn("this is a benchmark image: it serves plaintext and tells its insides")
	<-ctx.Done()
	return context.Cause(ctx)
}
