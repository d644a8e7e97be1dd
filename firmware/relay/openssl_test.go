package relay

import (
	"bytes"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"ingot.dev/certs/certstest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
)

// TestOpenSSL: s_client through terminate, in each version, with its certificate.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip(err)
	}
	base, sensors := servicetest.New(t), certstest.NewCA(t, certstest.Template{})
	base.Tree.AddAnchor("sensors", sensors)
	r := terminatedOn(t, base, TerminateOptions{Options: endpoint.Options{ClientGroup: "sensors"}, AllowTruncation: true}, echo)
	cert, key := sensors.Issue(certstest.Template{CommonName: "sensor 7", Client: true}).WritePEM(t)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		cmd := exec.CommandContext(t.Context(), "openssl", "s_client", "-connect", r.addr, "-servername", "localhost", version,
			"-CAfile", r.CA.WritePEM(t), "-verify_return_error", "-cert", cert, "-key", key, "-quiet", "-no_ign_eof")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out, stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		sent := strings.Repeat("through the relay\n", 2000)
		go io.WriteString(in, sent)
		if _, err := io.CopyN(&out, stdout, int64(len(sent))); err != nil || out.String() != sent {
			t.Errorf("%s: %d bytes came back, %v: %s", version, out.Len(), err, &stderr)
		}
		in.Close() // its end is ours
		io.Copy(io.Discard, stdout)
		cmd.Wait()
		r.Log.Wait(t, `in=36000 out=3600[01] .* tls=TLSv1.`+version[len(version)-1:]+` .* peer="CN=sensor 7"`)
	}
}

// TestOpenSSLServer: originate to s_server, which echoes line by line, reversed.
func TestOpenSSLServer(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip(err)
	}
	r := servicetest.New(t)
	cert, key := r.CA.Issue(certstest.Template{Names: []string{"localhost"}}).WritePEM(t)
	cmd := exec.Command("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-rev")
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	// It says which port it took.
	var said []byte
	for b := make([]byte, 1); !bytes.Contains(said, []byte("ACCEPT ")) || !bytes.HasSuffix(said, []byte("\n")); {
		if _, err := stdout.Read(b); err != nil {
			t.Fatalf("%v after %q", err, said)
		}
		said = append(said, b...)
	}
	go io.Copy(io.Discard, stdout)
	_, address, _ := strings.Cut(strings.TrimSpace(string(said)), "ACCEPT ")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatalf("%q: %v", said, err)
	}
	o := originatedOn(t, r, OriginateOptions{To: "127.0.0.1:" + port, Host: "localhost"}, nil)
	c := o.dial(t)
	io.WriteString(c, "relayed\n")
	got := make([]byte, 8)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "deyaler\n" {
		t.Errorf("%q, %v", got, err)
	}
}
