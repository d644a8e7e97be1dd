package bench

import (
	"context"
	"crypto/tls"
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

// A bootTime has the moments of one boot, since QEMU was started.
type bootTime struct {
	console, address, handshake time.Duration
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
	var console, address, handshake []time.Duration
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
	note = fmt.Sprintf("median of %d boots", r.amounts.boots)
	r.result.add("boot.console", "to the first console line", milliseconds(median(console)), "ms", note)
	r.result.add("boot.address", "to an address", milliseconds(median(address)), "ms", "DHCP")
	r.result.add("boot.handshake", "to the first completed handshake", milliseconds(median(handshake)), "ms", "")
	return nil
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
		took *time.Duration
	}{{firstLine, &b.console}, {addressLine, &b.address}, {readyLine, &b.handshake}} {
		if _, err := m.WaitConsole(ctx, step.line); err != nil {
			return b, err
		}
		*step.took = time.Since(m.Started())
	}
	raw, err := m.DialForward(ctx, bench.PortEcho)
	if err != nil {
		return b, err
	}
	defer raw.Close()
	if err := tls.Client(raw, r.client).HandshakeContext(ctx); err != nil {
		return b, describe(m, err)
	}
	b.handshake = time.Since(m.Started())
	return b, nil
}
