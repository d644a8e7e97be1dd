package bench

import (
	"context"
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
	handshakes := func(ctx context.Context, hybrid bool) error {
		config := t.tls
		if !hybrid {
			config = x25519Only(t.tls)
		}
		_, err := t.handshakes(ctx, config, r.amounts.countShakes, 1)
		return err
	}
	for _, tt := range []struct {
		id, title string
		per       float64
		unit      string
		note      string
		do        func() error
	}{
		{"handshake", "full handshake, default groups", float64(r.amounts.countShakes), unitInstructions, sum(true),
			func() error { return handshakes(ctx, true) }},
		{"handshake.x25519", "full handshake, X25519", float64(r.amounts.countShakes), unitInstructions, sum(false),
			func() error { return handshakes(ctx, false) }},
		{"handshake.resumed", "resumed handshake and one echo", float64(r.amounts.countShakes), unitInstructions, "",
			func() error { _, err := t.resumptions(ctx, r.amounts.countShakes-1); return err }},
		{"plain.in", "plaintext in", float64(r.amounts.countPlain), unitInstructionsPerByte, "",
			func() error { _, err := t.send(ctx, r.amounts.countPlain, false); return err }},
		{"plain.out", "plaintext out", float64(r.amounts.countPlain), unitInstructionsPerByte, "",
			func() error { _, err := t.receive(ctx, r.amounts.countPlain, false); return err }},
		{"tls.in", "TLS in", float64(r.amounts.countTLS), unitInstructionsPerByte, "",
			func() error { _, err := t.send(ctx, r.amounts.countTLS, true); return err }},
		{"tls.out", "TLS out", float64(r.amounts.countTLS), unitInstructionsPerByte, "",
			func() error { _, err := t.receive(ctx, r.amounts.countTLS, true); return err }},
		{"echo.plain", "plaintext echo of 64 bytes", float64(r.amounts.countEchoes), unitInstructions, "",
			func() error { _, err := t.echo(ctx, 64, r.amounts.countEchoes, false); return err }},
		{"echo.tls", "TLS echo of 64 bytes", float64(r.amounts.countEchoes), unitInstructions, "",
			func() error { _, err := t.echo(ctx, 64, r.amounts.countEchoes, true); return err }},
	} {
		busy, err := c.busyDuring(tt.do)
		if err != nil {
			return fmt.Errorf("%s: %w", tt.title, err)
		}
		r.result.add("count."+tt.id, tt.title, float64(busy)/tt.per, tt.unit, tt.note)
	}
	return nil
}

// busyRounds is how often busyDuring repeats what it measures. The least counts:
// garbage collections and timers only ever add.
const busyRounds = 3

// busyDuring returns how long the guest was busy while do ran, without what the
// questions themselves cost it.
func (c *control) busyDuring(do func() error) (time.Duration, error) {
	if err := do(); err != nil { // pools and windows as they will be
		return 0, err
	}
	least := time.Duration(0)
	for round := range busyRounds {
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
		took := (after - before) - (before - base)
		if round == 0 || took < least {
			least = took
		}
	}
	return least, nil
}
