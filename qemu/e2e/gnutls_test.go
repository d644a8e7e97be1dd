package e2e

import (
	"strings"
	"testing"

	"ingot.dev/certs/certstest"
)

// TestGnuTLS: a third implementation.
func TestGnuTLS(t *testing.T) {
	m := serve(t)
	args := func(ca string, more ...string) []string {
		return append([]string{"--x509cafile", ca, "--port", hostPort(t, m), "--sni-hostname", "localhost", "--verify-hostname", "localhost", "127.0.0.1"}, more...)
	}
	for _, version := range []string{"1.2", "1.3"} {
		stdout, stderr, code := command(t, strings.NewReader("hello from GnuTLS\n"), "gnutls-cli", args(world.caFile, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS"+version)...)
		if code != 0 {
			t.Errorf("TLS %s: gnutls-cli ended with %d: %s", version, code, stderr)
		}
		contains(t, "gnutls-cli", stdout, "The certificate is trusted", "TLS"+version, "\nhello from GnuTLS\n")
	}
	stdout, stderr, code := command(t, nil, "gnutls-cli", args(certstest.NewCA(t, certstest.Template{}).WritePEM(t))...)
	if code == 0 {
		t.Errorf("another authority was trusted:\n%s%s", stdout, stderr)
	}
}
