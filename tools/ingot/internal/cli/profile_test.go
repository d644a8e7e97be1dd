package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/tools/profile"
)

func TestProfileRefuses(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none", "x")
	for _, tt := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"extra"}, ExitUsage, "extra"},
		{[]string{"--load", "lunch"}, ExitUsage, "there are plain-in, plain-out"},
		{[]string{"--busy", "0s"}, ExitUsage, "--busy"},
		{[]string{"--rate", "0"}, ExitUsage, "from 1 to"},
		{[]string{"--rate", "1000000"}, ExitUsage, "from 1 to"},
		{[]string{"--boot", "--load", "tls-in"}, ExitUsage, "--load: a boot has none"},
		{[]string{"--boot", "--svg", none}, ExitOutput, none},
		{[]string{"--board", "toaster"}, ExitUsage, "toaster"},
		{[]string{"-o", none}, ExitOutput, none},
		{[]string{"--svg", none}, ExitOutput, none},
	} {
		code, stdout, stderr := run(t, append([]string{"profile"}, tt.args...)...)
		if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%v: status %d, stdout %q, stderr %q", tt.args, code, stdout, stderr)
		}
	}
}

// One real profile: of handshakes, which are public-key arithmetic for the most part.
func TestProfile(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	dir := t.TempDir()
	file, picture := filepath.Join(dir, "p.pb.gz"), filepath.Join(dir, "p.svg")
	code, stdout, stderr := run(t, "profile", "--load", "handshake-x25519", "--busy", "150ms", "-o", file, "--svg", picture, "--json")
	if code != 0 {
		t.Fatalf("status %d, stderr %q", code, stderr)
	}
	var answer struct {
		Result struct {
			Load    string
			Samples int64
			Layers  []struct {
				Name  string
				Share float64
			}
			Functions []struct{ Name string }
			Output    string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatal(err)
	}
	r := answer.Result
	if r.Load != "handshake-x25519" || r.Samples < 100 || len(r.Layers) == 0 || len(r.Functions) == 0 || r.Output != file {
		t.Fatalf("%+v", r)
	}
	if l := r.Layers[0]; l.Name != string(profile.PublicKeys) || l.Share < 0.3 {
		t.Errorf("the largest layer of a handshake: %+v", l)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(data)
	if err != nil || p.Samples() != r.Samples {
		t.Errorf("the file: %v", err)
	}
	svg, err := os.ReadFile(picture)
	if err != nil || !strings.Contains(string(svg), "crypto/tls.(*Conn).serverHandshake") {
		t.Errorf("the picture has no handshake: %v", err)
	}
}

// One real boot: every step is there, none is empty, and they are in order.
func TestProfileBoot(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	picture := filepath.Join(t.TempDir(), "boot.svg")
	code, stdout, stderr := run(t, "profile", "--boot", "--svg", picture, "--json")
	if code != 0 {
		t.Fatalf("status %d, stderr %q", code, stderr)
	}
	type step struct {
		Name               string
		From, Instructions uint64
	}
	var answer struct {
		Result struct {
			Instructions    uint64
			Steps, Packages []step
		}
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatal(err)
	}
	r := answer.Result
	at := uint64(0)
	names := make(map[string]bool)
	for _, s := range r.Steps {
		if s.From != at || s.Instructions == 0 {
			t.Errorf("step %+v does not follow %d, or is empty", s, at)
		}
		at += s.Instructions
		names[s.Name] = true
	}
	if at != r.Instructions {
		t.Errorf("the steps have %d instructions of %d", at, r.Instructions)
	}
	for _, want := range []string{"kernel", "packages", "certificates", "DHCP", "first handshake"} {
		if !names[want] {
			t.Errorf("there is no step %q in %+v", want, r.Steps)
		}
	}
	initialized := make(map[string]uint64)
	for _, p := range r.Packages {
		initialized[p.Name] += p.Instructions
	}
	if len(initialized) < 30 || initialized["crypto/tls"] == 0 {
		t.Errorf("%d packages, crypto/tls: %d", len(initialized), initialized["crypto/tls"])
	}
	svg, err := os.ReadFile(picture)
	if err != nil || !strings.Contains(string(svg), ">first handshake</text>") {
		t.Errorf("the picture: %v", err)
	}
}
