package bench

import (
	"context"
	"fmt"
	"time"
)

// relay measures what a relay that terminates TLS costs beside TLS alone, both over a wire
// whose other end acknowledges many segments at once, as other hosts do: QEMU's user-mode
// network acknowledges each, which by itself is more than what a relay may add.
func (r *run) relay(ctx context.Context) error {
	return r.onWire(ctx, wiring{icount: countMode, delay: moderation}, func(ctx context.Context, t *target, c *control) error {
		r.say("counting what a relay adds")
		return r.relayed(ctx, t, c)
	})
}

// relayRounds is how often a relay's counts are repeated; the least counts, as in count.
const relayRounds = 5

func (r *run) relayed(ctx context.Context, t *target, c *control) error {
	r.result.section("Busy instructions over a wire")
	for _, tt := range []struct {
		id, title string
		service   service
		secure    bool
		bytes     int64
		do        func(halfCloser, int64) error
		alone     string // what a relay is compared with
	}{
		{"plain.in", "plaintext in", sinkService, false, r.amounts.countPlain / 2, sendAll, ""},
		{"plain.out", "plaintext out", sourceService, false, r.amounts.countPlain / 2, receiveAll, ""},
		{"tls.in", "TLS in", sinkService, true, r.amounts.countTLS, sendAll, ""},
		{"tls.out", "TLS out", sourceService, true, r.amounts.countTLS, receiveAll, ""},
		{"terminate.in", "terminate, TLS in to TCP out", toSinkService, true, r.amounts.countTLS, sendAll, "tls.in"},
		{"terminate.out", "terminate, TCP in to TLS out", toSourceService, true, r.amounts.countTLS, receiveAll, "tls.out"},
	} {
		var least time.Duration
		for round := range relayRounds {
			if err := t.on(ctx, tt.service, tt.secure, func(conn halfCloser) error {
				busy, err := c.busyOnce(func() error { return tt.do(conn, tt.bytes) })
				if round == 0 || busy < least {
					least = busy
				}
				return err
			}); err != nil {
				return err
			}
		}
		cost, note := float64(least)/float64(tt.bytes), ""
		if alone, ok := r.result.Metric(relayPrefix + tt.alone); ok {
			note = fmt.Sprintf("%+.1f %% to TLS alone", 100*(cost/alone.Value-1))
		}
		r.result.add(relayPrefix+tt.id, tt.title, cost, unitInstructionsPerByte, note)
	}
	return nil
}

// relayPrefix begins the names of a relay's metrics.
const relayPrefix = "relay."
