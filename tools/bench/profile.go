package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"ingot.dev/board/boards"
	"ingot.dev/firmware/bench"
	"ingot.dev/qemu"
	"ingot.dev/tools/profile"
)

// ProfileRate is how many samples there are in a second of the firmware being busy, if
// nothing is said: one in 100,000 instructions, of which taking it costs 20,000 to 40,000.
const ProfileRate = 10_000

// MaxProfileRate is the most that the benchmark image takes.
const MaxProfileRate = bench.MaxProfileRate

// ProfileOptions says what to take a profile of. Certs is required.
type ProfileOptions struct {
	Board    string        // empty: boards.Default
	Certs    string        // see Options
	Workload string        // one of Workloads; empty: the first
	Busy     time.Duration // for how long the firmware is to be busy, by its own clock; zero: a second
	Rate     int           // samples in a second of that; zero: ProfileRate
	Wired    bool          // over a wire to this program, which acknowledges many segments at once, in place of QEMU's user-mode network
	Progress io.Writer     // is told what is being done; nil for nobody
}

// Profile builds the benchmark image, boots it in QEMU with instructions counted, has
// it do a workload, and returns what it sampled meanwhile: a nanosecond of the profile
// is an instruction.
func Profile(ctx context.Context, opt ProfileOptions) (*profile.Profile, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if opt.Workload == "" {
		opt.Workload = workloads[0].name
	}
	w, err := workloadByName(opt.Workload)
	if err != nil {
		return nil, err
	}
	if opt.Rate == 0 {
		opt.Rate = ProfileRate
	}
	if opt.Busy == 0 {
		opt.Busy = time.Second
	}
	if opt.Busy < 0 || opt.Rate < 0 {
		return nil, errors.New("a profile needs time and samples")
	}
	r := &run{opt: Options{Board: opt.Board, Certs: opt.Certs, Progress: opt.Progress}, result: new(Result)}
	if r.board, err = boards.ByName(opt.Board); err != nil {
		return nil, err
	}
	if _, err := qemu.Find(opt.Board); err != nil {
		return nil, err
	}
	if r.client, err = clientConfig(opt.Certs); err != nil {
		return nil, err
	}
	if r.dir, err = os.MkdirTemp("", "ingot-profile-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(r.dir)
	var m *qemu.Machine
	var t *target
	var c *control
	if opt.Wired {
		var w *wired
		if w, err = r.bootWired(ctx, wiring{icount: countMode, delay: moderation}); err == nil {
			defer w.Close()
			m, t, c = w.machine, w.target, w.control
		}
	} else if m, t, c, err = r.boot(ctx, countMode); err == nil {
		defer m.Stop()
		defer c.Close()
	}
	if err != nil {
		return nil, err
	}
	r.say("%s, until the firmware was busy for %v", w.title, opt.Busy)
	cost, err := w.cost(ctx, t, c, w.some, 1)
	var data []byte
	if err == nil {
		data, err = w.sample(ctx, t, c, opt.Rate, units(opt.Busy, cost))
	}
	if err != nil {
		return nil, fmt.Errorf("profile of %s: %w", w.name, describe(m, err))
	}
	return profile.Parse(data)
}
