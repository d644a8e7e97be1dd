package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"ingot.dev/certs/certstest"
)

// TestCurl: curl speaks HTTP and the firmware echoes bytes. A request whose
// method is a status line, and whose length and body are also those of its
// answer, is an HTTP response when it comes back.
func TestCurl(t *testing.T) {
	m := serve(t)
	dir := t.TempDir()
	sent, received := filepath.Join(dir, "sent"), filepath.Join(dir, "received")
	want := randomBytes(megabyte)
	if err := os.WriteFile(sent, want, 0o600); err != nil {
		t.Fatal(err)
	}
	url := "https://localhost:" + hostPort(t, m) + "/"
	curl := func(args ...string) (string, int) {
		request := []string{"-sS", "-4", "-o", received, "-X", "HTTP/1.1 200 OK", "-H", "Expect:", "--data-binary", "@" + sent}
		_, stderr, code := command(t, nil, "curl", append(request, args...)...)
		return stderr, code
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"TLS 1.2", []string{"--tls-max", "1.2"}},
		{"TLS 1.3", []string{"--tlsv1.3"}},
		{"without ALPN", []string{"--no-alpn"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			os.Remove(received)
			stderr, code := curl(append(c.args, "--cacert", world.caFile, url)...)
			if code != 0 {
				t.Fatalf("curl ended with %d: %s", code, stderr)
			}
			got, err := os.ReadFile(received)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("received %d bytes that differ from the %d sent (%v)", len(got), len(want), err)
			}
		})
	}
	// curl's exit statuses: curl(1), EXIT CODES; 60 is "peer certificate
	// cannot be authenticated with known CA certificates".
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"another authority", []string{"--cacert", certstest.NewCA(t, certstest.Template{}).WritePEM(t), url}, "certificate"},
		{"another name", []string{"--cacert", world.caFile, "--connect-to", "elsewhere.test:443:" + m.Addr(port), "https://elsewhere.test/"}, "elsewhere.test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stderr, code := curl(c.args...)
			if code != 60 {
				t.Errorf("curl ended with %d, want 60: %s", code, stderr)
			}
			contains(t, "curl", stderr, c.want)
		})
	}
}
