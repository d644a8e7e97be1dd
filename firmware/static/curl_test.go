package static

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// TestCurl: a client that is not Go's, with what it asks for by itself.
func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip(err)
	}
	r, _, url := serve(t, Options{})
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ":")
	curl := func(path string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "curl", append([]string{"-sS", "--max-time", "60", "--cacert", r.CA.WritePEM(t),
			"--resolve", "localhost:" + port + ":127.0.0.1", "--path-as-is", "https://localhost:" + port + path}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("curl %s: %v: %s", path, err, &stderr)
		}
		return string(out)
	}
	if got := curl("/"); got != page {
		t.Errorf("%q", got)
	}
	if got := curl("/style.css", "--compressed"); got != strings.Repeat("p{}", 1000) {
		t.Errorf("compressed: %d bytes", len(got))
	}
	if got := curl("/../../etc/passwd", "-o", "/dev/null", "-w", "%{http_code}"); got != "404" {
		t.Errorf("traversal: %s", got)
	}
	if got := curl("/big.bin", "-r", "1000-1999", "-o", "/dev/null", "-w", "%{http_code} %{size_download}"); got != "206 1000" {
		t.Errorf("range: %s", got)
	}
	if got := curl("/a", "-L"); got != "folder a" {
		t.Errorf("redirect: %q", got)
	}
	if got := curl("/", "-I", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"); got != "200 1.1" {
		t.Errorf("HEAD: %s", got)
	}
	if got := curl("/", "--http2", "-d", "x=1", "-o", "/dev/null", "-w", "%{http_code}"); got != "405" {
		t.Errorf("POST: %s", got)
	}
}
