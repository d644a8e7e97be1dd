package e2e

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"

	"ingot.dev/certs/certstest"
)

const megabyte = 1 << 20

func TestOpenSSL(t *testing.T) {
	m := serve(t)
	args := func(more ...string) []string {
		return append([]string{"s_client", "-connect", m.Addr(port), "-servername", "localhost", "-verify_hostname", "localhost", "-verify_return_error"}, more...)
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			_, stderr, code := command(t, strings.NewReader("hello\n"), "openssl", args(version, "-CAfile", world.caFile, "-brief")...)
			if code != 0 {
				t.Errorf("exit status %d", code)
			}
			contains(t, "openssl", stderr, "Verification: OK", "Protocol version: TLSv1."+version[len(version)-1:])
			opensslEcho(t, args(version, "-CAfile", world.caFile, "-quiet"))
		})
	}
	t.Run("another authority", func(t *testing.T) {
		other := certstest.NewCA(t, certstest.Template{}).WritePEM(t)
		_, stderr, code := command(t, nil, "openssl", args("-CAfile", other, "-brief")...)
		if code == 0 {
			t.Error("verification succeeded")
		}
		contains(t, "openssl", stderr, "verify error")
	})
	t.Run("another name", func(t *testing.T) {
		_, stderr, code := command(t, nil, "openssl", args("-CAfile", world.caFile, "-brief", "-verify_hostname", "elsewhere.test")...)
		if code == 0 {
			t.Error("verification succeeded")
		}
		contains(t, "openssl", strings.ToLower(stderr), "hostname mismatch")
	})
}

// opensslEcho sends 1 MiB through s_client. With -quiet that program passes
// every byte on as it is, and does not end by itself.
func opensslEcho(t *testing.T, args []string) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), program(t, "openssl"), args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	want := randomBytes(megabyte)
	go in.Write(want)
	got := make([]byte, len(want))
	n, err := io.ReadFull(out, got)
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		t.Fatalf("after %d bytes: %v\n%s", n, err, &stderr)
	}
	if !bytes.Equal(got, want) {
		t.Error("the bytes came back changed")
	}
}
