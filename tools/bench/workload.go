package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"ingot.dev/firmware/bench"
)

// A workload is something that the firmware can be kept busy with, in units that can
// be counted.
type workload struct {
	name  string
	title string
	unit  string // what one is
	some  int64  // as many as tell what one costs

	// on prepares what is not to be measured, a connection for one, and then calls f,
	// whose do does so many units, once.
	on func(ctx context.Context, t *target, f func(do func(n int64) error) error) error
}

// segment is the payload of a full-size TCP segment on Ethernet.
const segment = 1460

var workloads = []workload{
	transfer("plain-in", "plaintext received", 4000, sinkService, false, sendAll),
	transfer("plain-out", "plaintext sent", 4000, sourceService, false, receiveAll),
	transfer("tls-in", "TLS received", 1500, sinkService, true, sendAll),
	transfer("tls-out", "TLS sent", 1500, sourceService, true, receiveAll),
	handshakes("handshake", "full handshakes, default groups", func(c *tls.Config) *tls.Config { return c }),
	handshakes("handshake-x25519", "full handshakes, X25519", x25519Only),
	{"resumed", "resumed handshakes with an echo each", "handshake", 20, func(ctx context.Context, t *target, f func(func(int64) error) error) error {
		config, err := t.session(ctx)
		if err != nil {
			return err
		}
		return f(func(n int64) error { return t.resume(ctx, config, int(n)) })
	}},
	echoes("echo-plain", "plaintext echoes of 64 bytes", false),
	echoes("echo-tls", "TLS echoes of 64 bytes", true),
	transfer("terminate-in", "TLS received, passed on in the clear", 1500, toSinkService, true, sendAll),
	transfer("terminate-out", "plaintext received, passed on in TLS", 1500, toSourceService, true, receiveAll),
}

// transfer counts in segments.
func transfer(name, title string, some int64, s service, secure bool, move func(halfCloser, int64) error) workload {
	return workload{name, title, "segment", some, func(ctx context.Context, t *target, f func(func(int64) error) error) error {
		return t.on(ctx, s, secure, func(c halfCloser) error {
			return f(func(n int64) error { return move(c, n*segment) })
		})
	}}
}

func handshakes(name, title string, with func(*tls.Config) *tls.Config) workload {
	return workload{name, title, "handshake", 10, func(ctx context.Context, t *target, f func(func(int64) error) error) error {
		return f(func(n int64) error {
			_, err := t.handshakes(ctx, with(t.tls), int(n), 1)
			return err
		})
	}}
}

func echoes(name, title string, secure bool) workload {
	return workload{name, title, "echo", 300, func(ctx context.Context, t *target, f func(func(int64) error) error) error {
		return t.on(ctx, echoService, secure, func(c halfCloser) error {
			return f(func(n int64) error { return echoAll(c, n) })
		})
	}}
}

// Workloads lists the names of those that [Profile] knows.
func Workloads() []string {
	var names []string
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return names
}

func workloadByName(name string) (*workload, error) {
	i := slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })
	if i < 0 {
		return nil, fmt.Errorf("unknown load %q; known: %s", name, strings.Join(Workloads(), ", "))
	}
	return &workloads[i], nil
}

// cost returns how long the firmware is busy with one unit, on average over n: with
// instructions counted, a nanosecond is one. It is the median of several rounds.
func (w *workload) cost(ctx context.Context, t *target, c *control, n int64, rounds int) (float64, error) {
	var took []time.Duration
	for range rounds {
		err := w.on(ctx, t, func(do func(int64) error) error {
			busy, err := c.busyOnce(func() error { return do(n) })
			took = append(took, busy)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return float64(median(took)) / float64(n), nil
}

// sample has the firmware take a profile of itself while it does so many units.
func (w *workload) sample(ctx context.Context, t *target, c *control, rate int, n int64) (data []byte, err error) {
	err = w.on(ctx, t, func(do func(int64) error) error {
		if _, err := c.ask(bench.Request{Op: "profile", Value: rate}); err != nil {
			return err
		}
		err := do(n)
		a, stopErr := c.ask(bench.Request{Op: "profile"})
		if err == nil {
			err = stopErr
		}
		data = a.Profile
		return err
	})
	return data, err
}

// units returns how many keep the firmware busy for so long, at a cost each in ns.
func units(busy time.Duration, cost float64) int64 {
	return max(int64(float64(busy)/max(cost, 1)), 1)
}
