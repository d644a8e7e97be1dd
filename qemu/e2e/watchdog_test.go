package e2e

import (
	"errors"
	"regexp"
	"testing"

	"ingot.dev/qemu"
)

// TestWatchdog: a health check that passes keeps the board running, one that hangs
// has it reset.
func TestWatchdog(t *testing.T) {
	m := start(t, qemu.Config{Image: world.guest, Args: []string{"hang"}})
	if _, err := m.WaitConsole(testContext(t), regexp.MustCompile(`(?s)healthy.*healthy.*hanging`)); err != nil {
		t.Fatal(err)
	}
	<-m.Done()
	if _, err := m.Wait(); !errors.Is(err, qemu.ErrReset) {
		t.Errorf("the machine ended with %v, not with a reset", err)
	}
}
