// Command sensor is a firmware that reports what it measures, as JSON over mutual TLS, to
// the collector in the folder of that name. What it measures while the collector is away
// arrives later.
//
// Environment variables, which a board is given with its boot parameters:
//
//	COLLECTOR  where reports go (default localhost:8888)
//	INTERVAL   the time between two (default 5s)
package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"

	"ingot.dev/board"
	"ingot.dev/firmware"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/jsonmsg"
)

// The certificate store: 'ingot certs init certs' makes one for development.
//
//go:embed all:certs/image
var certificates embed.FS

func main() {
	firmware.Main(firmware.Config{
		Certs:    certificates,
		Services: []firmware.Service{{Name: "sensor", Run: run}},
	})
}

// run is a service without a listener. Its error ends the firmware.
func run(ctx context.Context, system *firmware.System, _ net.Listener) error {
	interval, err := time.ParseDuration(cmp.Or(os.Getenv("INTERVAL"), "5s"))
	if err != nil || interval <= 0 {
		return fmt.Errorf("INTERVAL=%q: give a time such as 500ms or 1m", os.Getenv("INTERVAL"))
	}
	client, err := connect(system, cmp.Or(os.Getenv("COLLECTOR"), "localhost:8888"))
	if err != nil {
		return err
	}
	defer client.Close()
	send := func(r report) error {
		_, err := client.Request(ctx, r) // the answer says that it is kept
		return err
	}
	var q queue
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		q.add(measure())
		// What ends this early, but for the connection's end, is news.
		if err := q.sendAll(send); err != nil && ctx.Err() == nil && !errors.Is(err, jsonmsg.ErrNotConnected) {
			system.Log.Warn("report not sent yet", "waiting", len(q.reports), "err", err)
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// connect makes a client that comes back by itself when the connection is lost, after a
// pause that grows to a minute.
func connect(system *firmware.System, address string) (*jsonmsg.Client, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("COLLECTOR: %w; give host:port", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("COLLECTOR: port: %w", err)
	}
	id, ok := system.Certs.Identity("client")
	if !ok {
		return nil, errors.New(`the certificate store has no identity "client"; make one with 'ingot certs issue certs client --client'`)
	}
	return jsonmsg.NewClient(system.Net, jsonmsg.ClientOptions{
		Host: host, Port: int(number),
		TLS: tlsio.TLSOptions{
			Roots:                system.Certs.Roots(""),
			GetClientCertificate: id.GetClientCertificate,
		},
		ReconnectInterval: time.Second, MaxReconnectInterval: time.Minute, ReconnectJitter: 0.5,
		// The collector pings every ten seconds.
		IdleTimeout: time.Minute,
		OnAuthenticated: func(*jsonmsg.Client) {
			system.Log.Info("connected", "collector", address)
		},
		OnError: func(_ *jsonmsg.Client, err error) {
			system.Log.Warn("not connected, will try again", "collector", address, "err", err)
		},
	})
}

// report is what the collector gets.
type report struct {
	Seq    uint64  `json:"seq"` // counts up from 1
	Board  string  `json:"board"`
	Uptime float64 `json:"uptime"` // of the program, in seconds
	Heap   uint64  `json:"heap"`   // in bytes
}

var started = time.Now()

// measure is where a sensor would be read.
func measure() report {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return report{Board: cmp.Or(board.Name, "host"), Uptime: time.Since(started).Seconds(), Heap: m.HeapAlloc}
}
