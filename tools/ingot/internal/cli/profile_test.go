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
