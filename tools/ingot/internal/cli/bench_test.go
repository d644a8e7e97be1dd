package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchRefuses(t *testing.T) {
	dir := t.TempDir()
	noJSON := filepath.Join(dir, "table.txt")
	if err := os.WriteFile(noJSON, []byte("a table"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"extra"}, ExitUsage, "extra"},
		{[]string{"--board", "toaster"}, ExitUsage, "toaster"},
		{[]string{"--part", "lunch"}, ExitUsage, "there are boot, speed, count, layers, portable, load, relay"},
		{[]string{"-o", filepath.Join(dir, "none", "x.json")}, ExitOutput, "x.json"},
		{[]string{"--baseline", filepath.Join(dir, "none.json")}, ExitInput, "none.json"},
		{[]string{"--baseline", noJSON}, ExitInput, "table.txt"},
	} {
		code, stdout, stderr := run(t, append([]string{"bench"}, tt.args...)...)
		if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%v: status %d, stdout %q, stderr %q", tt.args, code, stdout, stderr)
		}
	}
}

// One real run of the part whose numbers don't depend on the host, compared with
// a baseline that it can't meet.
func TestBenchCount(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "result.json")
	baseline := filepath.Join(dir, "baseline.json")
	const slow = `{"metrics":[{"id":"count.sha256","title":"SHA-256","value":1000,"unit":"instructions/byte"}]}`
	if err := os.WriteFile(baseline, []byte(slow), 0o666); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "bench", "--quick", "--part", "count,relay", "-o", file, "--baseline", baseline)
	if code != ExitFailure || !strings.Contains(stderr, "baseline 1,000") || !strings.Contains(stdout, "full handshake, X25519") || strings.Count(stdout, "to TLS alone") != 2 {
		t.Fatalf("status %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if leftovers, _ := filepath.Glob(filepath.Join(dir, ".*")); len(leftovers) > 0 {
		t.Errorf("left behind: %q", leftovers)
	}
	var result struct {
		Metrics []struct {
			ID    string
			Value float64
		}
	}
	if err := json.Unmarshal(b, &result); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, m := range result.Metrics {
		got[m.ID] = m.Value
	}
	// Wide limits: they catch a wrong unit, not a slow cipher.
	for id, limits := range map[string][2]float64{
		"count.sha256":           {20, 200},
		"count.handshake.x25519": {1e6, 50e6},
		"count.plain.in":         {0.1, 100},
		"count.tls.out":          {5, 500},
		"relay.plain.out":        {0.1, 100},
		"relay.terminate.in":     {5, 500},
		"relay.terminate.out":    {5, 500},
	} {
		if v := got[id]; v < limits[0] || v > limits[1] {
			t.Errorf("%s: %v, want %v", id, v, limits)
		}
	}
}
