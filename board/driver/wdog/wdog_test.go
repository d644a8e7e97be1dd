package wdog_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ingot.dev/board/driver/wdog"
)

// model behaves as IMX6ULRM says. Its time is the test's, which runs inside
// of a synctest bubble: exact, and in no time.
type model struct {
	t *testing.T

	mu       sync.Mutex
	wcr, wsr uint16
	wrsr     uint16
	pde      bool
	powerOff time.Time // when the power-down counter ends
	deadline time.Time // when the watchdog runs out; zero before it started
	services int
}

func newModel(t *testing.T) *model {
	return &model{t: t, wcr: 0x30, pde: true, powerOff: time.Now().Add(16 * time.Second)}
}

func (m *model) Read16(off uint32) uint16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch off {
	case 0:
		return m.wcr
	case 4:
		return m.wrsr
	case 8:
		if m.pde {
			return 1
		}
		return 0
	}
	m.t.Errorf("read of register %#x", off)
	return 0
}

func (m *model) Write16(off uint32, v uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch off {
	case 0:
		if v&0x30 != 0x30 {
			m.t.Errorf("WCR written with %#x: a reset, at once", v)
		}
		if v&4 != 0 && v>>8 == 0 {
			m.t.Errorf("WCR written with %#x: QEMU resets at once", v)
		}
		if m.wcr&4 != 0 && v&4 == 0 {
			m.t.Error("WDE can't be cleared")
		}
		if m.wcr&4 == 0 && v&4 != 0 {
			m.wcr = v
			m.restart()
		}
		m.wcr = v
	case 2:
		if m.wsr == 0x5555 && v == 0xaaaa && m.wcr&4 != 0 {
			m.services++
			m.restart()
		}
		m.wsr = v
	case 8:
		if v&1 == 0 {
			m.pde = false
		}
	default:
		m.t.Errorf("write of %#x to register %#x", v, off)
	}
}

func (m *model) restart() {
	m.deadline = time.Now().Add(time.Duration(m.wcr>>8+1) * wdog.Step)
}

// bitten reports whether the watchdog ran out, or power was cut.
func (m *model) bitten() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	return !m.deadline.IsZero() && !now.Before(m.deadline) || m.pde && !now.Before(m.powerOff)
}

func TestStart(t *testing.T) {
	for _, tt := range []struct {
		timeout time.Duration
		want    time.Duration // 0: an error
	}{
		{0, 0},
		{-time.Second, 0},
		{wdog.Step, 0},
		{time.Second - 1, 0},
		{time.Second, time.Second},
		{time.Second + 1, 1500 * time.Millisecond},
		{1200 * time.Millisecond, 1500 * time.Millisecond},
		{30 * time.Second, 30 * time.Second},
		{128 * time.Second, 128 * time.Second},
		{128*time.Second + 1, 0},
		{1 << 62, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newModel(t)
			w := wdog.New(m)
			err := w.Start(tt.timeout)
			if (err == nil) != (tt.want != 0) || w.Timeout() != tt.want {
				t.Fatalf("Start(%v): %v, timeout %v, want %v", tt.timeout, err, w.Timeout(), tt.want)
			}
			if tt.want == 0 {
				time.Sleep(time.Hour)
				if m.bitten() {
					t.Errorf("Start(%v) failed, and started the watchdog", tt.timeout)
				}
				return
			}
			time.Sleep(tt.want - 1)
			if m.bitten() {
				t.Errorf("%v: ran out before", tt.timeout)
			}
			w.Service()
			time.Sleep(tt.want - 1)
			if m.bitten() {
				t.Errorf("%v: ran out in spite of service", tt.timeout)
			}
			time.Sleep(1)
			if !m.bitten() {
				t.Errorf("%v: doesn't run out", tt.timeout)
			}
		})
	}
}

func TestStartOnce(t *testing.T) {
	w := wdog.New(newModel(t))
	if err := w.Start(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(20 * time.Second); !errors.Is(err, wdog.ErrStarted) {
		t.Errorf("second Start: %v, want ErrStarted", err)
	}
	if w.Timeout() != 10*time.Second {
		t.Errorf("timeout is %v", w.Timeout())
	}
}

// A boot loader may have started it long ago.
func TestTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		m.Write16(0, 19<<8|0x34) // 10 seconds
		time.Sleep(9 * time.Second)
		w := wdog.New(m)
		if err := w.Start(20 * time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Second - 1)
		if m.bitten() {
			t.Error("still the boot loader's timeout")
		}
	})
}

func TestPowerDownCounterIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		wdog.New(m)
		time.Sleep(time.Minute)
		if m.bitten() {
			t.Error("power is off")
		}
	})
}

func TestResetCause(t *testing.T) {
	for value, want := range map[uint16]string{
		0: "unknown", 1: "software", 2: "watchdog timeout", 3: "watchdog timeout", 0x10: "power-on",
	} {
		m := newModel(t)
		m.wrsr = value
		if got := wdog.New(m).ResetCause().String(); got != want {
			t.Errorf("WRSR %#x: %s, want %s", value, got, want)
		}
	}
}

// guard runs a guard with a timeout of 10 seconds for a virtual hour, and
// returns the model, what was logged, and whether the watchdog ran out at any
// time.
func guard(t *testing.T, o wdog.GuardOptions, during time.Duration) (m *model, logged string, bitten bool) {
	var text strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&text, nil))
	m = newModel(t)
	w := wdog.New(m)
	if err := w.Start(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Guard(ctx, o) }()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(wdog.Step) {
		bitten = bitten || m.bitten()
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Guard: %v, want context.Canceled", err)
	}
	synctest.Wait() // for who may still be logging
	return m, text.String(), bitten
}

func TestGuard(t *testing.T) {
	start := func() func() time.Duration {
		began := time.Now()
		return func() time.Duration { return time.Since(began) }
	}
	for _, tt := range []struct {
		name   string
		check  func(since func() time.Duration) func(context.Context) error
		bitten bool
		logged string
	}{
		{"works", func(func() time.Duration) func(context.Context) error {
			return func(context.Context) error { return nil }
		}, false, ""},
		{"never works", func(func() time.Duration) func(context.Context) error {
			return func(context.Context) error { return errors.New("disk on fire") }
		}, true, "disk on fire"},
		{"stops working", func(since func() time.Duration) func(context.Context) error {
			return func(context.Context) error {
				if since() > time.Minute {
					return errors.New("disk on fire")
				}
				return nil
			}
		}, true, "disk on fire"},
		{"fails now and then", func(since func() time.Duration) func(context.Context) error {
			return func(context.Context) error {
				if int(since()/(2500*time.Millisecond))%2 == 1 {
					return errors.New("busy")
				}
				return nil
			}
		}, false, "busy"},
		{"hangs until its context ends", func(func() time.Duration) func(context.Context) error {
			return func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}
		}, true, "health check failed"},
		{"hangs", func(since func() time.Duration) func(context.Context) error {
			return func(context.Context) error {
				if since() > time.Minute {
					time.Sleep(time.Minute)
				}
				return nil
			}
		}, true, "health check hangs"},
		{"is slow once", func(since func() time.Duration) func(context.Context) error {
			slow := true
			return func(context.Context) error {
				if slow && since() > time.Minute {
					slow = false
					time.Sleep(6 * time.Second)
				}
				return nil
			}
		}, false, "health check was slow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, logged, bitten := guard(t, wdog.GuardOptions{Check: tt.check(start())}, 5*time.Minute)
				if bitten != tt.bitten {
					t.Errorf("ran out: %v, want %v", bitten, tt.bitten)
				}
				if !strings.Contains(logged, tt.logged) || tt.logged == "" && logged != "" {
					t.Errorf("logged %q, want %q", logged, tt.logged)
				}
			})
		})
	}
}

// The end of Guard is not the end of the watchdog.
func TestGuardEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, bitten := guard(t, wdog.GuardOptions{
			Interval: time.Second,
			Check:    func(context.Context) error { return nil },
		}, time.Minute)
		if bitten {
			t.Fatal("ran out while guarded")
		}
		if m.services < 55 || m.services > 65 {
			t.Errorf("serviced %d times in a minute, want once a second", m.services)
		}
		time.Sleep(11 * time.Second)
		if !m.bitten() {
			t.Error("doesn't run out after Guard ended")
		}
	})
}

func TestGuardOptions(t *testing.T) {
	fine := func(context.Context) error { return nil }
	w := wdog.New(newModel(t))
	if err := w.Guard(t.Context(), wdog.GuardOptions{Check: fine}); !errors.Is(err, wdog.ErrNotStarted) {
		t.Errorf("before Start: %v, want ErrNotStarted", err)
	}
	if err := w.Start(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	for _, o := range []wdog.GuardOptions{
		{},
		{Check: fine, Interval: -1},
		{Check: fine, Interval: 5*time.Second + 1},
	} {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		if err := w.Guard(t.Context(), o); err == nil {
			t.Errorf("Guard accepts %+v", o)
		}
	}
}
