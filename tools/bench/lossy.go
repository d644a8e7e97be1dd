package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ingot.dev/qemu/peer"
)

// The board's Ethernet has 100 Mbit/s. On a wire that is as fast as the host, what is
// measured is how fast the host is without faults.
const ethernetRate = 100e6 / 8

// lossyFaults lose and reorder frames in both directions, so that acknowledgements are
// hit as well.
var lossyFaults = peer.Faults{Loss: 0.01, Reorder: 0.01, Rate: ethernetRate}

// lossyRounds is how often; the median of the rounds' ratios counts. Each has losses of
// its own, the same in every run as far as the host lets the frames be the same.
const lossyRounds = 5

// lossy measures what a link that loses and reorders frames leaves of a stream's
// throughput, next to the same link without faults.
func (r *run) lossy(ctx context.Context, t *target, _ *control) error {
	r.result.section(fmt.Sprintf("Plaintext over 100 Mbit/s with %v %% of all frames lost and %v %% reordered, ÷ without", lossyFaults.Loss*100, lossyFaults.Reorder*100))
	defer t.disturb(peer.Faults{})
	for _, tt := range []struct {
		id, title string
		service   service
		move      func(halfCloser, int64) (time.Duration, error)
	}{{"in", "received", sinkService, send}, {"out", "sent", sourceService, receive}} {
		r.say("plaintext %s over a lossy link", tt.title)
		var ratios, clean, faulty []float64
		for round := range lossyRounds {
			var took [2]time.Duration
			for i, f := range []peer.Faults{{Rate: lossyFaults.Rate}, lossyFaults} {
				f.Seed = uint64(round)
				t.disturb(f)
				if err := t.on(ctx, tt.service, false, func(c halfCloser) (err error) {
					took[i], err = tt.move(c, r.amounts.lossyBytes)
					return err
				}); err != nil {
					return fmt.Errorf("%s with %+v: %w", tt.title, f, err)
				}
				t.disturb(peer.Faults{})
			}
			ratios = append(ratios, float64(took[0])/float64(took[1]))
			clean, faulty = append(clean, mbPerSecond(r.amounts.lossyBytes, took[0])), append(faulty, mbPerSecond(r.amounts.lossyBytes, took[1]))
		}
		for _, values := range [][]float64{ratios, clean, faulty} {
			slices.Sort(values)
		}
		middle := lossyRounds / 2
		r.result.add("load.lossy."+tt.id, tt.title, ratios[middle], "",
			fmt.Sprintf("%s of %s MB/s; %s to %s", number(faulty[middle]), number(clean[middle]), number(ratios[0]), number(ratios[lossyRounds-1])))
	}
	return nil
}
