package bench

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"ingot.dev/firmware/bench"
	"ingot.dev/qemu"
)

// speed measures the benchmark image at the host's speed.
func (r *run) speed(ctx context.Context) error {
	return r.atSpeed(ctx, []func(context.Context, *qemu.Machine, *target, *control) error{
		r.memoryAfterBoot, r.idleCPU, r.rates, r.handshakeRates, r.transferRates, r.echoTimes, r.memoryHeld,
	})
}

func (r *run) atSpeed(ctx context.Context, steps []func(context.Context, *qemu.Machine, *target, *control) error) error {
	m, t, c, err := r.boot(ctx, "")
	if err != nil {
		return err
	}
	defer m.Stop()
	defer c.Close()
	for _, step := range steps {
		if err := step(ctx, m, t, c); err != nil {
			return describe(m, err)
		}
	}
	return nil
}

func (r *run) memoryAfterBoot(_ context.Context, _ *qemu.Machine, _ *target, c *control) error {
	s, err := c.status()
	if err != nil {
		return err
	}
	r.result.section("Memory")
	r.result.add("memory.boot", "RAM in use after boot", float64(r.board.RAM-int64(s.Free))/1e6, "MB",
		fmt.Sprintf("%.2f MB of it by the program: heap %.2f MB, stacks %.2f MB; the rest is image, kernel and DMA",
			float64(s.RAM-s.Free)/1e6, float64(s.HeapInuse)/1e6, float64(s.StackInuse)/1e6))
	return nil
}

// idleCPU watches how much of the host's processor an idle machine takes.
func (r *run) idleCPU(ctx context.Context, m *qemu.Machine, _ *target, _ *control) error {
	r.say("idle for %v", r.amounts.idle)
	before, err := m.CPUTime()
	if err != nil {
		r.say("idle CPU: %v", err)
		return nil
	}
	start := time.Now()
	select {
	case <-time.After(r.amounts.idle):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	after, err := m.CPUTime()
	if err != nil {
		return err
	}
	r.result.section("Idle")
	r.result.add("idle.cpu", "host CPU of an idle machine", 100*float64(after-before)/float64(time.Since(start)), "%", "")
	return nil
}

// rates has the guest measure what TLS is made of.
func (r *run) rates(_ context.Context, _ *qemu.Machine, _ *target, c *control) error {
	r.say("measuring primitives in the guest")
	r.result.section("Primitives, in the guest")
	for _, name := range bench.Primitives() {
		a, err := c.ask(bench.Request{Op: "rate", Name: name, Ms: int(r.amounts.rate.Milliseconds())})
		if err != nil {
			return err
		}
		if a.Rate.Bytes > 0 {
			r.result.add("rate."+metricID(name), name, 1e3/a.Rate.PerByte(), "MB/s", "")
		} else {
			r.result.add("rate."+metricID(name), name, 1e9/a.Rate.PerOp(), "/s", "")
		}
	}
	return nil
}

func metricID(name string) string { return strings.ReplaceAll(name, " ", "-") }

// arithmetic returns the public-key operations of a server in a full TLS 1.3
// handshake with a P-256 certificate.
func arithmetic(hybrid bool) []string {
	ops := []string{"x25519 keygen", "x25519 ecdh", "p256 sign"}
	if hybrid { // X25519MLKEM768, which both ends prefer
		ops = append(ops, "mlkem768 encaps")
	}
	return ops
}

// limit returns how many handshakes there could be if they were nothing but
// their arithmetic.
func (r *run) limit(hybrid bool) float64 {
	var seconds float64
	for _, op := range arithmetic(hybrid) {
		m, ok := r.result.Metric("rate." + metricID(op))
		if !ok {
			return 0
		}
		seconds += 1 / m.Value
	}
	return 1 / seconds
}

func (r *run) handshakeRates(ctx context.Context, _ *qemu.Machine, t *target, c *control) error {
	r.say("handshakes")
	r.result.section("Handshakes")
	n := r.amounts.handshakes
	if _, err := t.handshakes(ctx, nil, 2, 1); err != nil { // to warm up
		return err
	}
	d, err := t.handshakes(ctx, nil, n, 2)
	if err != nil {
		return err
	}
	r.result.add("handshake.default", "full, default groups", perSecond(n, d), "/s",
		fmt.Sprintf("arithmetic alone: %s/s", number(r.limit(true))))
	if d, err = t.handshakes(ctx, x25519Only(t.tls), n, 2); err != nil {
		return err
	}
	r.result.add("handshake.x25519", "full, X25519", perSecond(n, d), "/s",
		fmt.Sprintf("arithmetic alone: %s/s", number(r.limit(false))))
	if d, err = t.resumptions(ctx, n); err != nil {
		return err
	}
	r.result.add("handshake.resumed", "resumed, with one echo", perSecond(n, d), "/s", "one after another")
	return nil
}

// transferRounds is how often each transfer is done; the median counts.
const transferRounds = 3

func (r *run) transferRates(ctx context.Context, _ *qemu.Machine, t *target, _ *control) error {
	r.say("transfers")
	r.result.section("Transfers, one connection")
	for _, tt := range []struct {
		id, title string
		bytes     int64
		secure    bool
		service   service
		move      func(halfCloser, int64) (time.Duration, error)
		cipher    string
	}{
		{"plain.in", "plaintext in", r.amounts.plainBytes, false, sinkService, send, ""},
		{"plain.out", "plaintext out", r.amounts.plainBytes, false, sourceService, receive, ""},
		{"tls.in", "TLS in", r.amounts.tlsBytes, true, sinkService, send, "chacha20-poly1305-open"},
		{"tls.out", "TLS out", r.amounts.tlsBytes, true, sourceService, receive, "chacha20-poly1305-seal"},
	} {
		var took []time.Duration
		for range transferRounds {
			if err := t.on(ctx, tt.service, tt.secure, func(c halfCloser) error {
				d, err := tt.move(c, tt.bytes)
				took = append(took, d)
				return err
			}); err != nil {
				return fmt.Errorf("%s: %w", tt.title, err)
			}
		}
		note := ""
		if m, ok := r.result.Metric("rate." + tt.cipher); ok {
			note = fmt.Sprintf("the cipher alone: %s MB/s", number(m.Value))
		}
		r.result.add(tt.id, tt.title, mbPerSecond(tt.bytes, median(took)), "MB/s", note)
	}
	return nil
}

func (r *run) echoTimes(ctx context.Context, _ *qemu.Machine, t *target, _ *control) error {
	r.say("echoes")
	r.result.section("Echo of 64 bytes")
	for _, tt := range []struct {
		id, title string
		secure    bool
	}{{"echo.plain", "plaintext", false}, {"echo.tls", "TLS", true}} {
		var took []time.Duration
		if err := t.on(ctx, echoService, tt.secure, func(c halfCloser) (err error) {
			took, err = echo(c, 64, r.amounts.echoes)
			return err
		}); err != nil {
			return err
		}
		r.result.add(tt.id+".p50", tt.title+", p50", milliseconds(percentile(took, 50)), "ms", "")
		r.result.add(tt.id+".p99", tt.title+", p99", milliseconds(percentile(took, 99)), "ms", "")
	}
	return nil
}

// memoryHeld measures what an idle connection keeps, in the guest's RAM: all of
// it, whoever holds it.
func (r *run) memoryHeld(ctx context.Context, _ *qemu.Machine, t *target, c *control) error {
	r.result.section("Idle TLS connections")
	var before bench.Status
	for i, n := range r.amounts.held {
		r.say("holding %d TLS connections", n)
		if i == 0 {
			var err error
			// Connections that came and went leave pools and stacks behind,
			// which are not those of the ones to come.
			if before, err = c.status(); err != nil {
				return err
			}
		}
		conns, err := t.hold(ctx, n)
		if err != nil {
			return err
		}
		after, err := c.status()
		if err == nil {
			// Every one of them must still work.
			for _, held := range conns {
				if _, err = echo(held, 8, 1); err != nil {
					break
				}
			}
		}
		closeAll(conns)
		if err != nil {
			return fmt.Errorf("%d connections: %w", n, err)
		}
		ram := float64(int64(before.Free)-int64(after.Free)) / float64(n) / 1e3
		live := float64(int64(after.HeapInuse+after.StackInuse)-int64(before.HeapInuse+before.StackInuse)) / float64(n) / 1e3
		id := "memory.connection"
		if i > 0 {
			id += fmt.Sprint(".", n)
		}
		r.result.add(id, fmt.Sprintf("RAM of each of %d", n), ram, "KB", fmt.Sprintf("heap and stacks %s KB", number(live)))
		if i == len(r.amounts.held)-1 {
			r.result.add("memory.held", "held, all answering", float64(n), "", "")
		}
		if err := settle(ctx, c, before.Goroutines, exchangeLimit); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the guest has noticed that connections are gone, for as long as they
// become fewer at least once within patience: on a busy host, thousands take a minute,
// and who wants to connect meanwhile waits for too long.
func settle(ctx context.Context, c *control, goroutines int, patience time.Duration) error {
	least, progress := math.MaxInt, time.Now()
	for {
		a, err := c.ask(bench.Request{Op: "status"})
		if err != nil {
			return err
		}
		left := a.Status.Goroutines - goroutines
		switch {
		case left <= 2:
			return nil
		case left < least:
			least, progress = left, time.Now()
		case time.Since(progress) >= patience:
			return fmt.Errorf("connections that were closed still have goroutines: for %v there have been %d more than before", time.Since(progress).Round(time.Millisecond), least)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
