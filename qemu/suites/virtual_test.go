package suites

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// TestTenMinutesOfRelaying: 100 connections through a relay on the board, over bad links
// that are on the board as well, for ten minutes of a clock that counts instructions and
// skips the time in which nothing is to be done.
func TestTenMinutesOfRelaying(t *testing.T) {
	if testing.Short() {
		t.Skip("boots an image")
	}
	if _, err := qemu.Find(""); errors.Is(err, qemu.ErrNoQEMU) {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("the suite's time is up"))
	defer cancel()
	file := filepath.Join(t.TempDir(), "relay.elf")
	if _, err := image.Build(ctx, image.Options{Package: []string{"ingot.dev/firmware/relay"}, Test: true, Output: file}); err != nil {
		t.Fatal(err)
	}
	var console io.Writer = io.Discard
	if testing.Verbose() {
		console = indent{os.Stdout}
	}
	m, err := qemu.Start(ctx, qemu.Config{
		Image:   file,
		ICount:  qemu.ICountDeterministic,
		Env:     []string{"INGOT_RELAY_SOAK=10m"},
		Args:    []string{"-test.v", "-test.run=^TestBadWires$", "-test.timeout=2h"}, // of that clock
		Console: console,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Stop()
	code, err := m.Wait()
	out := m.Console()
	if r := parse(out); err != nil || code != 0 || !r.pass || r.passed != 1 || !strings.Contains(out, "100 connections") {
		t.Errorf("status %d, %v; the console:\n%s", code, err, failures(out))
	}
}
