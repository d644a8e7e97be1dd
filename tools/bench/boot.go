package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"time"

	"ingot.dev/firmware/bench"
	"ingot.dev/qemu"
)

// What the firmware prints.
var (
	firstLine      = regexp.MustCompile(`\S[^\n]*\n`)
	addressLine    = regexp.MustCompile(`address \d+\.\d+\.\d+\.\d+`)
	readyLine      = regexp.MustCompile(`ready: TLS echo on `)
	plainReadyLine = regexp.MustCompile(`this is a benchmark image`)
)

// A bootTime has the moments of one boot.
type bootTime struct {
	console, address, handshake moment
}

// A moment is one since QEMU was started. On a host that is busy with other things, the
// processor time that QEMU took says more than the time that passed: a boot waits for
// nothing else.
type moment struct {
	passed, processor time.Duration
}

func momentOf(m *qemu.Machine) (moment, error) {
	now := moment{passed: time.Since(m.Started())}
	var err error
	if now.processor, err = m.CPUTime(); errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return now, err
}

// boots measures boots of the image as it would be used.
func (r *run) boots(ctx context.Context) error {
	im, err := r.build(ctx, "default")
	if err != nil {
		return err
	}
	start := time.Now()
	if im, err = r.build(ctx, "default"); err != nil { // with a cache that is warm now
		return err
	}
	took := time.Since(start)
	r.result.section("Image")
	note := ""
	if im.Size > r.board.ImageBudget {
		note = fmt.Sprintf("more than the budget of %.2f MB", float64(r.board.ImageBudget)/1e6)
	}
	r.result.add("image.size", "default image, stripped", float64(im.Size)/1e6, "MB", note)

	r.result.add("image.build", "building it, from a warm cache", took.Seconds(), "s", "")

	r.say("booting %d times", r.amounts.boots)
	var console, address, handshake []moment
	for range r.amounts.boots {
		b, err := r.bootOnce(ctx, im.Path)
		if err != nil {
			return err
		}
		console = append(console, b.console)
		address = append(address, b.address)
		handshake = append(handshake, b.handshake)
	}
	r.result.section("From QEMU's start")
	r.addMoment("boot.console", "to the first console line", fmt.Sprintf("median of %d boots", r.amounts.boots), console)
	r.addMoment("boot.address", "to an address", "DHCP", address)
	r.addMoment("boot.handshake", "to the first completed handshake", "", handshake)
	return nil
}

// addMoment adds the medians of when something was, and of the processor time until then
// if that is known.
func (r *run) addMoment(id, title, note string, moments []moment) {
	var passed, processor []time.Duration
	for _, m := range moments {
		passed = append(passed, m.passed)
		processor = append(processor, m.processor)
	}
	r.result.add(id, title, milliseconds(median(passed)), "ms", note)
	if took := median(processor); took > 0 {
		r.result.add(id+".cpu", "processor time of QEMU until then", milliseconds(took), "ms", "")
	}
}

func (r *run) bootOnce(ctx context.Context, file string) (b bootTime, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, bootLimit, fmt.Errorf("no handshake within %v", bootLimit))
	defer cancel()
	m, err := qemu.Start(ctx, qemu.Config{Image: file, Board: r.opt.Board, Forwards: []qemu.Forward{{GuestPort: bench.PortEcho}}})
	if err != nil {
		return b, err
	}
	defer m.Stop()
	for _, step := range []struct {
		line *regexp.Regexp
		at   *moment
	}{{firstLine, &b.console}, {addressLine, &b.address}, {readyLine, &b.handshake}} {
		if _, err := m.WaitConsole(ctx, step.line); err != nil {
			return b, err
		}
		if *step.at, err = momentOf(m); err != nil {
			return b, err
		}
	}
	raw, err := m.DialForward(ctx, bench.PortEcho)
	if err != nil {
		return b, err
	}
	defer raw.Close()
	if err := tls.Client(raw, r.client).HandshakeContext(ctx); err != nil {
		return b, describe(m, err)
	}
	b.handshake, err = momentOf(m)
	return b, err
}
