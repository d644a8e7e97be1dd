// Command guest is what the end-to-end tests run where the default firmware
// has no such thing. The first argument says what to do:
//
//	dial NAME,ADDRESS,HOST,IDENTITY...
//	      open a TLS connection to each ADDRESS, expecting HOST's certificate
//	      and offering IDENTITY (none if empty); exchange one line; print
//	      "result NAME ..." with what came of it
//	idle DURATION
//	      serve a TLS echo, do nothing for DURATION, then say so and compute
//	      without end
//	random
//	      print a few random numbers
//	hang
//	      start the watchdog, guarded by a health check that soon hangs
//
// The certificate store comes as JSON in the environment variable STORE: a map
// from file name to content.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"ingot.dev/board/devices"
	"ingot.dev/board/driver/wdog"
	"ingot.dev/firmware"
	"ingot.dev/tlsio"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("guest:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("nothing to do")
	}
	switch args[0] {
	case "dial":
		return dialAll(args[1:])
	case "idle":
		return idle(args[1])
	case "random":
		return random()
	case "hang":
		return hang()
	}
	return fmt.Errorf("unknown task %q", args[0])
}

func store() (fs.FS, error) {
	var files map[string][]byte
	if err := json.Unmarshal([]byte(os.Getenv("STORE")), &files); err != nil {
		return nil, fmt.Errorf("STORE: %w", err)
	}
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	return fsys, nil
}

func dialAll(cases []string) error {
	ctx := context.Background()
	fsys, err := store()
	if err != nil {
		return err
	}
	s, err := firmware.Start(ctx, firmware.Config{Certs: fsys})
	if err != nil {
		return err
	}
	defer s.Close()
	for _, c := range cases {
		f := strings.Split(c, ",")
		if len(f) != 4 {
			return fmt.Errorf("%q is not NAME,ADDRESS,HOST,IDENTITY", c)
		}
		result, err := dial(ctx, s, f[1], f[2], f[3])
		if err != nil {
			result = "error: " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Printf("result %s %s\n", f[0], result)
	}
	return nil
}

func dial(ctx context.Context, s *firmware.System, address, host, identity string) (string, error) {
	options := tlsio.TLSOptions{Host: host, Roots: s.Certs.Roots("")}
	if identity != "" {
		id, ok := s.Certs.Identity(identity)
		if !ok {
			return "", fmt.Errorf("there is no identity %q", identity)
		}
		options.GetClientCertificate = id.GetClientCertificate
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := tlsio.Dial(ctx, s.Net, address, options)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintln(conn, "hello from the board"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "", err
	}
	return "answer: " + strings.TrimSpace(line), nil
}

// idle ends in a busy loop for the sake of the emulator's clock: when virtual
// time skips what is spent idle, a processor that waits for a packet sees
// every timeout pass first. One that computes sees time pass as it works.
func idle(duration string) error {
	d, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	fsys, err := store()
	if err != nil {
		return err
	}
	go func() {
		start := time.Now()
		time.Sleep(d)
		fmt.Printf("idle for %v\n", time.Since(start).Round(time.Second))
		for {
		}
	}()
	return firmware.Run(context.Background(), firmware.Config{
		Certs:    fsys,
		Services: []firmware.Service{{Name: "echo", Listen: ":8443", Serve: firmware.Echo}},
	})
}

func random() error {
	// Three places from which a Go program gets randomness: the kernel's
	// generator, the runtime's start (map order is seeded from there), and
	// the two together in what TLS uses.
	b := make([]byte, 32)
	rand.Read(b)
	m := map[int]bool{}
	for i := range 64 {
		m[i] = true
	}
	order := slices.Collect(maps.Keys(m))
	fmt.Printf("random %x\norder %v\nkey %s\n", b, order, rand.Text())
	return nil
}

// hang does everything right but the check: the third one never returns.
func hang() error {
	w, err := devices.OpenWatchdog()
	if err != nil {
		return err
	}
	if err := w.Start(2 * time.Second); err != nil {
		return err
	}
	checks := 0
	return w.Guard(context.Background(), wdog.GuardOptions{Check: func(context.Context) error {
		if checks++; checks == 3 {
			fmt.Println("hanging")
			time.Sleep(time.Hour)
		}
		fmt.Println("healthy")
		return nil
	}})
}
