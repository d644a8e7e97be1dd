package e2e

import (
	"regexp"
	"testing"

	"ingot.dev/qemu"
)

// TestTenIdleMinutes lets ten minutes of virtual time pass, which takes a
// moment because idle time is skipped, and then connects.
func TestTenIdleMinutes(t *testing.T) {
	m := start(t, qemu.Config{
		Image:    world.guest,
		Env:      []string{storeEnv(t, world.store)},
		Args:     []string{"idle", "10m"},
		ICount:   qemu.ICountDeterministic,
		Forwards: []qemu.Forward{{GuestPort: port}},
	})
	for _, line := range []*regexp.Regexp{listening, regexp.MustCompile(`idle for 10m\d+s`)} {
		if _, err := m.WaitConsole(testContext(t), line); err != nil {
			t.Fatal(err)
		}
	}
	mustEcho(t, mustConnect(t, m, clientConfig()), 10_000)
}
