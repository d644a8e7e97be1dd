//go:build !imx6ulevk

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ingot-selftest-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "selftest.elf")
	_, err = image.Build(context.Background(), image.Options{Package: []string{"."}, Output: path})
	return path, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// boot starts the image. Without QEMU there is nothing to test.
func boot(t *testing.T, cfg qemu.Config, args ...string) *qemu.Machine {
	t.Helper()
	if testing.Short() && len(args) > 0 && !slices.Contains(brief, args[0]) {
		t.Skip("short: only some of the endings")
	}
	if _, err := qemu.Find(""); errors.Is(err, qemu.ErrNoQEMU) {
		t.Skip(err)
	}
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 4*time.Minute, errors.New("the test's time is up"))
	t.Cleanup(cancel)
	cfg.Image, cfg.Args = path, args
	m, err := qemu.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	return m
}

// brief are the endings that -short looks at.
var brief = []string{"panic", "exit-7", "unseeded"}

// TestChecks runs everything that a program can go on after, and so ends by a
// normal return from main.
func TestChecks(t *testing.T) {
	m := boot(t, qemu.Config{})
	code, err := m.Wait()
	console := m.Console()
	if err != nil || code != 0 {
		t.Fatalf("status %d, %v; console:\n%s", code, err, console)
	}
	for _, c := range checks {
		if !regexp.MustCompile(`(?m)^ok +` + regexp.QuoteMeta(c.name) + ` \(`).MatchString(console) {
			t.Errorf("check %s did not say ok; console:\n%s", c.name, console)
		}
	}
	if !strings.Contains(console, "selftest: 0 failed") {
		t.Errorf("console:\n%s", console)
	}
}

// TestEndings runs what ends the program, and wants to see Go's own message and its
// exit status as QEMU's.
func TestEndings(t *testing.T) {
	for _, e := range []struct {
		name    string
		code    int
		console []string // regular expressions, in order
	}{
		{"panic", 2, []string{`panic: on purpose`, `goroutine 1 \[running\]:`, `main\.main\(\)`}},
		{"traced-panic", 2, []string{`panic: in a trace`, `goroutine 1 \[running\]:`}},
		{"exit-7", 7, nil},
		{"nil-map", 2, []string{`panic: assignment to entry in nil map`, `goroutine 1`}},
		{"throw", 2, []string{`panic: close of nil channel`}},
		{"wild-fatal", 2, []string{`unexpected fault address 0x8000000`, `fatal error: fault`, `\[signal SIGSEGV: segmentation violation code=0x1 addr=0x8000000 pc=`, `goroutine 1`}},
		{"out-of-memory", 2, []string{`fatal error: runtime: (out of memory|cannot allocate memory)`, `goroutine 1`}},
		{"given-back", 137, []string{`all is promised`, `ingot: out of memory: all \d+ MB are in use, and a page that was given back is wanted again, address 0x`}},
		{"deadlock", 2, []string{`fatal error: all goroutines are asleep - deadlock!`}},
		{"stack-overflow", 2, []string{`stack exceeds \d+-byte limit`, `fatal error: stack overflow`, `main\.overflow`}},
		{"sigkill", 137, []string{`ingot: killed by signal 9`}},
		{"too-many-threads", 2, []string{`runtime: failed to create new OS thread \(have \d+ already; errno=11\)`, `runtime: may need to increase max user processes`, `fatal error: newosproc`}},
	} {
		t.Run(e.name, func(t *testing.T) {
			m := boot(t, qemu.Config{}, e.name)
			code, err := m.Wait()
			rest := m.Console()
			if err != nil || code != e.code {
				t.Fatalf("status %d, %v; want %d; console:\n%s", code, err, e.code, rest)
			}
			for _, want := range e.console {
				at := regexp.MustCompile(want).FindStringIndex(rest)
				if at == nil {
					t.Fatalf("console does not have %q where it should; console:\n%s", want, m.Console())
				}
				rest = rest[at[1]:]
			}
			if strings.Contains(m.Console(), "kernel bug") {
				t.Errorf("console:\n%s", m.Console())
			}
		})
	}
}

// TestTimeZone boots a program that brings time zones, of which the environment names one
// or none.
func TestTimeZone(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	if _, err := qemu.Find(""); errors.Is(err, qemu.ErrNoQEMU) {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 4*time.Minute, errors.New("the test's time is up"))
	defer cancel()
	path := filepath.Join(t.TempDir(), "zones.elf")
	if _, err := image.Build(ctx, image.Options{Package: []string{"./testdata/zones"}, Output: path}); err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{
		"":                 "zone UTC 2026-01-15T12:00:00Z",
		"TZ=Europe/Berlin": "zone Europe/Berlin 2026-01-15T11:00:00Z",
		"TZ=Nowhere":       "zone UTC 2026-01-15T12:00:00Z",
	} {
		cfg := qemu.Config{Image: path}
		if env != "" {
			cfg.Env = []string{env}
		}
		m, err := qemu.Start(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Stop()
		if code, err := m.Wait(); err != nil || code != 0 || !strings.Contains(m.Console(), want) {
			t.Errorf("%q: status %d, %v, want %q; console:\n%s", env, code, err, want, m.Console())
		}
	}
}

// TestUnseeded boots without entropy: getrandom gives none, and asking makes a
// thread wait, not the machine.
func TestUnseeded(t *testing.T) {
	m := boot(t, qemu.Config{NoSeed: true}, "unseeded")
	if code, err := m.Wait(); err != nil || code != 0 {
		t.Errorf("status %d, %v; console:\n%s", code, err, m.Console())
	}
}

// TestRandomDiffers boots twice.
func TestRandomDiffers(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		m := boot(t, qemu.Config{}, "print-random")
		line, err := m.WaitConsole(t.Context(), regexp.MustCompile(`random ([0-9a-f]{32})\s`))
		if err != nil {
			t.Fatal(err)
		}
		if seen[line[1]] || strings.Count(line[1], "00") > 8 {
			t.Errorf("random bytes are %s, before %v", line[1], seen)
		}
		seen[line[1]] = true
	}
}

func TestConsoleEcho(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	m := boot(t, qemu.Config{}, "echo")
	if _, err := m.WaitConsole(ctx, regexp.MustCompile(`echo: ready`)); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		line := fmt.Sprintf("line %d, and some more to make it long", i)
		if err := m.Type(line + "."); err != nil {
			t.Fatal(err)
		}
		// What arrives may be cut anywhere, but the last byte ends it.
		if _, err := m.WaitConsole(ctx, regexp.MustCompile(fmt.Sprintf(`(?s)(\."\s.*){%d}`, i+1))); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	for _, part := range regexp.MustCompile(`echo: "([^"]*)"`).FindAllStringSubmatch(m.Console(), -1) {
		got.WriteString(part[1])
	}
	for i := range 20 {
		if want := fmt.Sprintf("line %d, and some more to make it long.", i); !strings.Contains(got.String(), want) {
			t.Errorf("%q did not come back whole: %q", want, got.String())
		}
	}
	if err := m.Type("\x04"); err != nil {
		t.Fatal(err)
	}
	if code, err := m.Wait(); err != nil || code != 0 {
		t.Errorf("status %d, %v; console:\n%s", code, err, m.Console())
	}
}

// TestIdle wants QEMU to use no processor time while the program sleeps. The host
// may be busy with other things, and Go's runtime gives memory back for a while
// after its start, so the quietest of some windows counts.
func TestIdle(t *testing.T) {
	m := boot(t, qemu.Config{}, "idle")
	if _, err := m.WaitConsole(t.Context(), regexp.MustCompile(`(?m)^idle\s*$`)); err != nil {
		t.Fatal(err)
	}
	const window, limit = 3 * time.Second, 2.0 // percent
	best := 100.0
	for range 8 {
		before, err := m.CPUTime()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		time.Sleep(window)
		after, err := m.CPUTime()
		if err != nil {
			t.Fatal(err)
		}
		percent := 100 * float64(after-before) / float64(time.Since(start))
		t.Logf("QEMU used %.2f %% of a processor", percent)
		if best = min(best, percent); best < limit {
			return
		}
	}
	t.Errorf("idle, QEMU uses %.2f %% of a processor at least, want less than %v %%", best, limit)
}

// TestLoopCanBeStopped: a program that never enters the kernel again does not keep
// the machine from being ended from outside.
func TestLoopCanBeStopped(t *testing.T) {
	m := boot(t, qemu.Config{}, "loop")
	if _, err := m.WaitConsole(t.Context(), regexp.MustCompile(`looping`)); err != nil {
		t.Fatal(err)
	}
	m.Stop()
	if _, err := m.Wait(); !errors.Is(err, qemu.ErrStopped) {
		t.Errorf("after Stop: %v", err)
	}
}

// TestWithoutSemihosting ends as on hardware, where nobody takes an exit status: in
// a reset.
func TestWithoutSemihosting(t *testing.T) {
	m := boot(t, qemu.Config{NoSemihosting: true}, "exit-7")
	if _, err := m.Wait(); !errors.Is(err, qemu.ErrReset) {
		t.Errorf("%v, want a reset", err)
	}
}

// TestInterruptedEverywhere interrupts computations at each instruction, by a signal and
// by another thread: what they have in registers, of NEON too, stays theirs.
func TestInterruptedEverywhere(t *testing.T) {
	// An instruction takes 1.024 µs, since signals come by the microsecond, or 0.128.
	for by, icount := range map[string]string{"everywhere": "shift=10,sleep=off", "switches": "shift=7,sleep=off"} {
		t.Run(by, func(t *testing.T) {
			m := boot(t, qemu.Config{ICount: icount}, by)
			if code, err := m.Wait(); err != nil || code != 0 {
				t.Errorf("status %d, %v; console:\n%s", code, err, m.Console())
			}
			t.Log(m.Console())
		})
	}
}
