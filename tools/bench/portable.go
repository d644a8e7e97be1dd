package bench

import (
	"context"
	"errors"

	"ingot.dev/qemu"
)

// errBeside says that there is nothing to compare with.
var errBeside = errors.New("part " + PartPortable + " stands beside others: take " + PartSpeed + " or " + PartCount + ", too")

// portable measures an image whose cryptography is portable code, for a column of its
// own beside that which has assembly. It takes the parts that were taken there, and of
// the host's speed what has to do with cryptography.
func (r *run) portable(ctx context.Context) error {
	p := *r
	p.result, p.noARMAsm = &Result{}, true
	if r.takes(PartSpeed) {
		if err := p.atSpeed(ctx, []func(context.Context, *qemu.Machine, *target, *control) error{p.rates, p.handshakeRates, p.transferRates}); err != nil {
			return err
		}
	}
	if r.takes(PartCount) {
		if err := p.count(ctx); err != nil {
			return err
		}
	}
	for i := range r.result.Metrics {
		m := &r.result.Metrics[i]
		if other, ok := p.result.Metric(m.ID); ok {
			m.Portable = other.Value
		}
	}
	return nil
}
