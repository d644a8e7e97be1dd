package wdog

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// GuardOptions say how a program shows that it works.
type GuardOptions struct {
	// Check returns nil when the program works. It should exercise what
	// matters, for example a round trip through the event loops, and not merely
	// return. Its context ends after Interval. An error, or not returning,
	// leaves the watchdog without service; the next check may still come in
	// time. There must be one.
	Check func(context.Context) error

	// Interval is the time between checks; a quarter of the timeout when
	// zero. At most half of the timeout, so that one failure isn't the end.
	Interval time.Duration

	// Log is told about failures; slog.Default() when nil.
	Log *slog.Logger
}

// Guard services the watchdog as long as the program works. It returns when ctx
// ends, or when its options make no sense; the watchdog then runs out. A panic
// in Check is not caught.
func (w *Watchdog) Guard(ctx context.Context, o GuardOptions) error {
	timeout := w.Timeout()
	if timeout == 0 {
		return fmt.Errorf("wdog: guard: %w", ErrNotStarted)
	}
	if o.Check == nil {
		return fmt.Errorf("wdog: guard: no GuardOptions.Check")
	}
	if o.Interval == 0 {
		o.Interval = timeout / 4
	}
	if o.Interval < 0 || o.Interval > timeout/2 {
		return fmt.Errorf("wdog: guard: interval of %v with a timeout of %v, want half of it at most", o.Interval, timeout)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	ticker := time.NewTicker(o.Interval)
	defer ticker.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.healthy(ctx, o, timeout) {
			w.Service()
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// healthy asks the check, in this goroutine: when it hangs, so does the guard,
// as it should. Before the end it is said why it came.
func (w *Watchdog) healthy(ctx context.Context, o GuardOptions, timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, o.Interval)
	defer cancel()
	// A check that heeds its context gets some time to return.
	late := time.AfterFunc(o.Interval+o.Interval/2, func() {
		o.Log.Error("health check hangs, the watchdog is not serviced", "timeout", timeout)
	})
	defer late.Stop()
	start := time.Now()
	if err := o.Check(ctx); err != nil {
		if ctx.Err() != context.Canceled {
			o.Log.Error("health check failed, the watchdog is not serviced", "error", err, "timeout", timeout)
		}
		return false
	}
	// A check that came back after a long time says that the program works by
	// now, which is what counts; unless the watchdog was quicker.
	if d := time.Since(start); d > o.Interval {
		o.Log.Warn("health check was slow", "time", d)
	}
	return true
}
