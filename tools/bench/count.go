package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"ingot.dev/firmware/bench"
)

// countMode makes an instruction a nanosecond. Idle time passes at the host's
// pace: with sleep=off it would pass at once, and every timer of a guest that
// waits for the host would be due before the host could answer.
const countMode = "shift=0"

// count measures in instructions.
func (r *run) count(ctx context.Context) error {
	if err := r.bootInstructions(ctx); err != nil {
		return err
	}
	m, t, c, err := r.boot(ctx, countMode)
	if err != nil {
		return err
	}
	defer m.Stop()
	defer c.Close()
	r.say("counting instructions")
	if err := r.countAll(ctx, t, c); err != nil {
		return describe(m, err)
	}
	return nil
}

func (r *run) countAll(ctx context.Context, t *target, c *control) error {
	r.result.section("Instructions of primitives")
	perOp := make(map[string]float64)
	for _, name := range bench.Primitives() {
		a, err := c.ask(bench.Request{Op: "rate", Name: name, Ms: int(r.amounts.countRate.Milliseconds())})
		if err != nil {
			return err
		}
		perOp[name] = a.Rate.PerOp()
		if a.Rate.Bytes > 0 {
			r.result.add("count."+metricID(name), name, a.Rate.PerByte(), unitInstructionsPerByte, "")
		} else {
			r.result.add("count."+metricID(name), name, a.Rate.PerOp(), unitInstructions, "")
		}
	}
	sum := func(hybrid bool) string {
		total := 0.0
		for _, op := range arithmetic(hybrid) {
			total += perOp[op]
		}
		return fmt.Sprintf("arithmetic: %s", number(total))
	}

	r.result.section("Busy instructions, everything included")
	for _, tt := range []struct {
		id, title string
		config    *tls.Config
		note      string
	}{
		{"handshake", "full handshake, default groups", t.tls, sum(true)},
		{"handshake.x25519", "full handshake, X25519", x25519Only(t.tls), sum(false)},
	} {
		n := r.amounts.countShakes
		busy, err := c.busyDuring(func() error {
			_, err := t.handshakes(ctx, tt.config, n, 1)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", tt.title, err)
		}
		r.result.add("count."+tt.id, tt.title, float64(busy)/float64(n), unitInstructions, tt.note)
	}
	n := r.amounts.countShakes
	busy, err := c.busyDuring(func() error {
		_, err := t.resumptions(ctx, n-1) // after a full one
		return err
	})
	if err != nil {
		return err
	}
	full, _ := r.result.Metric("count.handshake")
	r.result.add("count.handshake.resumed", "resumed handshake and one echo",
		(float64(busy)-full.Value)/float64(n-1), unitInstructions, "")

	for _, tt := range []struct {
		id, title string
		service   service
		secure    bool
		per       int64
		unit      string
		do        func(halfCloser, int64) error
	}{
		{"plain.in", "plaintext in", sinkService, false, r.amounts.countPlain, unitInstructionsPerByte, sendAll},
		{"plain.out", "plaintext out", sourceService, false, r.amounts.countPlain, unitInstructionsPerByte, receiveAll},
		{"tls.in", "TLS in", sinkService, true, r.amounts.countTLS, unitInstructionsPerByte, sendAll},
		{"tls.out", "TLS out", sourceService, true, r.amounts.countTLS, unitInstructionsPerByte, receiveAll},
		// What these two add to TLS, where the network isn't in the way, is in part relay.
		{"terminate.in", "terminate, TLS in to TCP out", toSinkService, true, r.amounts.countTLS, unitInstructionsPerByte, sendAll},
		{"terminate.out", "terminate, TCP in to TLS out", toSourceService, true, r.amounts.countTLS, unitInstructionsPerByte, receiveAll},
		{"echo.plain", "plaintext echo of 64 bytes", echoService, false, r.amounts.countEchoes, unitInstructions, echoAll},
		{"echo.tls", "TLS echo of 64 bytes", echoService, true, r.amounts.countEchoes, unitInstructions, echoAll},
	} {
		var least time.Duration
		for round := range busyRounds {
			if err := t.on(ctx, tt.service, tt.secure, func(conn halfCloser) error {
				busy, err := c.busyOnce(func() error { return tt.do(conn, tt.per) })
				if round == 0 || busy < least {
					least = busy
				}
				return err
			}); err != nil {
				return err
			}
		}
		r.result.add("count."+tt.id, tt.title, float64(least)/float64(tt.per), tt.unit, "")
	}
	return nil
}

func sendAll(c halfCloser, n int64) error    { _, err := send(c, n); return err }
func receiveAll(c halfCloser, n int64) error { _, err := receive(c, n); return err }
func echoAll(c halfCloser, n int64) error    { _, err := echo(c, 64, int(n)); return err }

// busyRounds is how often a count is repeated. The least counts: garbage
// collections and timers only ever add.
const busyRounds = 3

// busyDuring returns the least time that the guest was busy while do ran.
func (c *control) busyDuring(do func() error) (least time.Duration, err error) {
	for round := range busyRounds {
		took, err := c.busyOnce(do)
		if err != nil {
			return 0, err
		}
		if round == 0 || took < least {
			least = took
		}
	}
	return least, nil
}

// busyOnce returns how long the guest was busy while do ran, without what the
// questions themselves cost it.
func (c *control) busyOnce(do func() error) (time.Duration, error) {
	base, err := c.busy()
	if err != nil {
		return 0, err
	}
	before, err := c.busy()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := c.busy()
	if err != nil {
		return 0, err
	}
	return (after - before) - (before - base), nil
}
