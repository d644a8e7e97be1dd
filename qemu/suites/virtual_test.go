package suites

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// virtually runs one test of a package on the board, by a clock that counts instructions
// and skips the time in which nothing is to be done. It returns the console.
func virtually(t *testing.T, pkg, test, env string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("boots an image")
	}
	if _, err := qemu.Find(""); errors.Is(err, qemu.ErrNoQEMU) {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("the suite's time is up"))
	defer cancel()
	file := filepath.Join(t.TempDir(), "test.elf")
	if _, err := image.Build(ctx, image.Options{Package: []string{pkg}, Test: true, Output: file}); err != nil {
		t.Fatal(err)
	}
	var console io.Writer = io.Discard
	if testing.Verbose() {
		console = indent{os.Stdout}
	}
	m, err := qemu.Start(ctx, qemu.Config{
		Image:   file,
		ICount:  qemu.ICountDeterministic,
		Env:     []string{env},
		Args:    []string{"-test.v", "-test.run=^" + test + "$", "-test.timeout=2h"}, // of that clock
		Console: console,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Stop()
	code, err := m.Wait()
	out := m.Console()
	if r := parse(out); err != nil || code != 0 || !r.pass || r.passed != 1 {
		t.Errorf("status %d, %v; the console:\n%s", code, err, failures(out))
	}
	return out
}

// TestTenMinutesOfRelaying: 100 connections through a relay on the board, over bad links
// that are on the board as well, for ten virtual minutes.
func TestTenMinutesOfRelaying(t *testing.T) {
	out := virtually(t, "ingot.dev/firmware/relay", "TestBadWires", "INGOT_RELAY_SOAK=10m")
	if !strings.Contains(out, "100 connections") {
		t.Errorf("something else ran:\n%s", out)
	}
}

// TestStatusOncePerSecond: what it costs is the test's own matter.
func TestStatusOncePerSecond(t *testing.T) {
	out := virtually(t, "ingot.dev/firmware/status", "TestRefreshCost", "INGOT_STATUS_COST=1")
	t.Log(regexp.MustCompile(`a refresh takes .*`).FindString(out))
}
