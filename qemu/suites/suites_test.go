package suites

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/simnet"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// suite is a package whose tests are to pass on the board.
type suite struct {
	pkg string
	// args are flags of the test binary, beside -test.short and -test.v.
	args []string
	// share is the part of its tests, in percent, that has to run there.
	share int
}

var suites = []suite{
	{pkg: "ingot.dev/tlsio", share: 80},
	{pkg: "ingot.dev/tlsio/server", share: 80},
	{pkg: "ingot.dev/tlsio/jsonmsg", share: 80},
	{pkg: "ingot.dev/tlsio/layers", share: 80},
	{pkg: "ingot.dev/tlsio/ntp", share: 80},
	{pkg: "ingot.dev/tlsio/resolver", share: 80},
	{pkg: "ingot.dev/internal/simnet", share: 80},
	{pkg: "ingot.dev/certs", share: 50},
}

// limit is far beyond what any suite takes.
const limit = 15 * time.Minute

func TestSuites(t *testing.T) {
	if testing.Short() {
		t.Skip("boots images")
	}
	if _, err := qemu.Find(""); errors.Is(err, qemu.ErrNoQEMU) {
		t.Skip(err)
	}
	for _, s := range suites {
		t.Run(strings.TrimPrefix(s.pkg, "ingot.dev/"), func(t *testing.T) {
			want := tests(t, s.pkg)
			if len(want) == 0 {
				t.Fatal("has no tests")
			}
			r := run(t, s)
			t.Logf("%d of %d tests ran, %d were skipped", r.passed+r.failed, len(want), r.skipped)
			if r.code != 0 || r.failed > 0 || !r.pass {
				t.Errorf("status %d, %d failed", r.code, r.failed)
			}
			// A test that is not built for the board counts as one that was skipped.
			if (r.passed+r.failed)*100 < len(want)*s.share {
				t.Errorf("only %d of %d tests ran, want %d %% at least; skipped:\n%s", r.passed+r.failed, len(want), s.share, strings.Join(r.reasons, "\n"))
			}
		})
	}
}

// tests returns the names of a package's tests on the host.
func tests(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "test", "-list", "^(Test|Fuzz)", pkg).Output()
	if err != nil {
		t.Fatalf("go test -list: %v\n%s", err, out)
	}
	return regexp.MustCompile(`(?m)^(Test|Fuzz)\w*$`).FindAllString(string(out), -1)
}

// result is how a suite ended.
type result struct {
	code                    int
	passed, failed, skipped int
	pass                    bool // the last word was PASS
	reasons                 []string
}

// run boots the suite.
func run(t *testing.T, s suite) result {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("the suite's time is up"))
	defer cancel()
	file := filepath.Join(t.TempDir(), "suite.elf")
	if _, err := image.Build(ctx, image.Options{Package: []string{s.pkg}, Test: true, Output: file}); err != nil {
		t.Fatal(err)
	}
	var console io.Writer = io.Discard
	if testing.Verbose() {
		console = indent{os.Stdout}
	}
	m, err := qemu.Start(ctx, qemu.Config{
		Image:   file,
		Env:     []string{simnet.SelectVar + "=netstack"},
		Args:    append([]string{"-test.v", "-test.short", "-test.run=^(Test|Fuzz)", fmt.Sprintf("-test.timeout=%v", limit)}, s.args...),
		Console: console,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Stop()
	code, err := m.Wait()
	out := m.Console()
	r := parse(out)
	r.code = code
	if err != nil || code != 0 || !r.pass {
		t.Errorf("%v; the console, without the tests that passed:\n%s", err, failures(out))
	}
	return r
}

var verdict = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\w+)`)

// parse reads what a test binary prints with -test.v.
func parse(out string) (r result) {
	for _, m := range verdict.FindAllStringSubmatch(out, -1) {
		switch m[1] {
		case "PASS":
			r.passed++
		case "FAIL":
			r.failed++
		case "SKIP":
			r.skipped++
			r.reasons = append(r.reasons, m[2])
		}
	}
	r.pass = regexp.MustCompile(`(?m)^PASS\r?$`).MatchString(out)
	return r
}

// failures is out without the lines about tests that were begun or passed.
func failures(out string) string {
	var kept []string
	for line := range strings.Lines(out) {
		if text := strings.TrimSpace(line); strings.HasPrefix(text, "=== ") || strings.HasPrefix(text, "--- PASS") {
			continue
		}
		kept = append(kept, line)
	}
	const most = 400
	if len(kept) > most {
		kept = append([]string{fmt.Sprintf("(%d lines left out)\n", len(kept)-most)}, kept[len(kept)-most:]...)
	}
	return strings.Join(kept, "")
}

// indent sets the guest's lines apart, so that go test doesn't take its verdicts
// for ours.
type indent struct{ w io.Writer }

func (i indent) Write(p []byte) (int, error) {
	if _, err := i.w.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\n\t| "))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func TestParse(t *testing.T) {
	r := parse("=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/sub (0.00s)\n=== RUN   TestB\n    x_test.go:3: needs files\n--- SKIP: TestB (0.00s)\n--- FAIL: TestC (1.00s)\r\nFAIL\r\n")
	if r.passed != 1 || r.skipped != 1 || r.failed != 1 || r.pass || strings.Join(r.reasons, "") != "TestB" {
		t.Errorf("%+v", r)
	}
	if r := parse("--- PASS: TestA (0.00s)\r\nPASS\r\n"); !r.pass || r.passed != 1 {
		t.Errorf("%+v", r)
	}
}
