package e2e

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"ingot.dev/qemu"
)

func TestAddressFromDHCP(t *testing.T) {
	m := serve(t)
	// QEMU's user-mode network: QEMU manual, "Using the user mode network stack".
	contains(t, "console", m.Console(), "address 10.0.2.15/24", "gateway 10.0.2.2", "dns 10.0.2.3", "lease", "ready: TLS echo on 10.0.2.15:8443")
	// And one from its router's advertisements (RFC 4862).
	if _, err := m.WaitConsole(testContext(t), regexp.MustCompile(`address fec0::[0-9a-f:]+`)); err != nil {
		t.Error(err)
	}
}

// TestStaticAddress: nothing is asked of the network, nor of the hardware.
func TestStaticAddress(t *testing.T) {
	m := serve(t, "INGOT_ADDR=10.0.2.15/24", "INGOT_GATEWAY=10.0.2.2", "INGOT_MAC=02:00:00:ab:cd:ef")
	contains(t, "console", m.Console(), "ready: TLS echo on 10.0.2.15:8443", "mac=02:00:00:ab:cd:ef")
	if strings.Contains(m.Console(), "lease") {
		t.Errorf("a lease was obtained:\n%s", m.Console())
	}
	mustEcho(t, mustConnect(t, m, clientConfig()), 1000)
}

func TestBadSetting(t *testing.T) {
	m := start(t, qemu.Config{Env: []string{"INGOT_ADDR=10.0.2.15"}, Network: true})
	exits(t, m, 1)
	contains(t, "console", m.Console(), "INGOT_ADDR", "such as 10.0.2.15/24")
}

// TestNoSeed: no random numbers, so no network, let alone TLS.
func TestNoSeed(t *testing.T) {
	m := start(t, qemu.Config{NoSeed: true, Forwards: []qemu.Forward{{GuestPort: port}}})
	if _, err := m.WaitConsole(testContext(t), regexp.MustCompile(`no entropy.*boot parameters.*\n`)); err != nil {
		t.Fatal(err)
	}
	// Longer than it takes with a seed, by much.
	select {
	case <-m.Done():
		if code, _ := m.Wait(); code == 0 {
			t.Error("the firmware ended as if all were well")
		}
	case <-time.After(5 * time.Second):
	}
	if console := m.Console(); strings.Contains(console, "ready") || strings.Contains(console, "address") {
		t.Errorf("it went on:\n%s", console)
	}
}

// TestWallClock: certificates are judged by the time in the boot parameters.
func TestWallClock(t *testing.T) {
	m := start(t, qemu.Config{Wall: time.Now().AddDate(20, 0, 0), Network: true})
	exits(t, m, 1)
	contains(t, "console", m.Console(), "the certificate was valid until")
}

// TestBuildStamp: without a time in the boot parameters, the clock starts at the
// build's, which is when the newest certificate's validity begins: an hour before it was
// made.
func TestBuildStamp(t *testing.T) {
	im, err := os.Stat(world.firmware)
	if err != nil {
		t.Fatal(err)
	}
	m := start(t, qemu.Config{NoWall: true, Forwards: []qemu.Forward{{GuestPort: port}}})
	line, err := m.WaitConsole(testContext(t), regexp.MustCompile(`msg="time (\S+)" source="the build: `))
	if err != nil {
		t.Fatal(err)
	}
	got, err := time.Parse(time.RFC3339, line[1])
	if off := im.ModTime().Sub(got); err != nil || off < -5*time.Minute || off > time.Hour+15*time.Minute {
		t.Errorf("the clock started at %s (%v), the image was built before %v", line[1], err, im.ModTime())
	}
	if _, err := m.WaitConsole(testContext(t), listening); err != nil {
		t.Fatal(err)
	}
	mustEcho(t, mustConnect(t, m, clientConfig()), 100)
}

func TestTwoBootsDiffer(t *testing.T) {
	var seen [2][]string
	for i := range seen {
		m := start(t, qemu.Config{Image: world.guest, Args: []string{"random"}})
		exits(t, m, 0)
		seen[i] = regexp.MustCompile(`(?s)random (\S+)\r?\norder (\[.*?\])\r?\nkey (\S+)`).FindStringSubmatch(m.Console())
		if seen[i] == nil {
			t.Fatalf("console: %q", m.Console())
		}
	}
	for i, what := range []string{1: "crypto/rand", 2: "map order", 3: "rand.Text"} {
		if i > 0 && seen[0][i] == seen[1][i] {
			t.Errorf("%s is the same in two boots: %s", what, seen[0][i])
		}
	}
}

// TestIdleMachineSleeps: below 2 % of a host processor.
func TestIdleMachineSleeps(t *testing.T) {
	m := serve(t)
	mustEcho(t, mustConnect(t, m, clientConfig()), 1000)
	time.Sleep(time.Second) // what the connection leaves to be done
	cpu := func() time.Duration {
		d, err := m.CPUTime()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	const span = 10 * time.Second
	before := cpu()
	time.Sleep(span)
	if used := cpu() - before; used*50 > span {
		t.Errorf("an idle machine used %v of processor time in %v", used, span)
	}
}
