package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ingot.dev/board/boards"
	"ingot.dev/qemu"
	"ingot.dev/tools/ingot/internal/cli"
)

// patience is for everything that takes a moment.
const patience = 3 * time.Minute

// command runs an ingot command in this process.
func command(t *testing.T, args ...string) {
	t.Helper()
	var stderr bytes.Buffer
	if code := cli.Run(t.Context(), args, strings.NewReader(""), io.Discard, &stderr); code != 0 {
		t.Fatalf("ingot %s: status %d, %s", strings.Join(args, " "), code, &stderr)
	}
}

// example copies an example into a folder of its own, with certificates, and changes in
// it what is to be changed.
func example(t *testing.T, name string, changes ...string) (dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("boots an emulator")
	}
	dir = filepath.Join(t.TempDir(), name)
	from := os.DirFS(filepath.Join("../../examples", name))
	if err := os.CopyFS(dir, from); err != nil {
		t.Fatal(err)
	}
	// What somebody has made there by running it is not used.
	if err := os.RemoveAll(filepath.Join(dir, "certs")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ingot.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if bytes.Count(text, []byte(changes[i])) != 1 {
			t.Fatalf("%s doesn't have %s once", file, changes[i])
		}
		text = bytes.ReplaceAll(text, []byte(changes[i]), []byte(changes[i+1]))
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "certs", "init", filepath.Join(dir, "certs"))
	return dir
}

// boot builds an example and boots it.
func boot(t *testing.T, dir, board string, config qemu.Config, ready ...string) *qemu.Machine {
	t.Helper()
	config.Image = filepath.Join(t.TempDir(), "image.elf")
	config.Board = board
	command(t, "build", "--board", board, "--config", filepath.Join(dir, "ingot.toml"), "-o", config.Image, "--no-sbom", "--sizes=false")
	m, err := qemu.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Stop() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, line := range ready {
		if _, err := m.WaitConsole(ctx, regexp.MustCompile(regexp.QuoteMeta("ready: "+line))); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// client is the TLS configuration of a client that knows an example's authority.
func client(t *testing.T, dir string, identified bool) *tls.Config {
	t.Helper()
	host := filepath.Join(dir, "certs", "host")
	ca, err := os.ReadFile(filepath.Join(host, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	config.RootCAs.AppendCertsFromPEM(ca)
	if identified {
		pair, err := tls.LoadX509KeyPair(filepath.Join(host, "client.pem"), filepath.Join(host, "client-key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// TestExamples: every example boots on every board, and its services are ready.
func TestExamples(t *testing.T) {
	entries, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	ready := map[string][]string{
		"echo":    {"TLS echo on 10.0.2.15:8443"},
		"gateway": {"TLS mqtt on 10.0.2.15:8883"},
		"site":    {"TLS web on 192.168.76.2:443"},
	}
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join("../../examples", e.Name(), "ingot.toml")); err != nil {
			continue // a program
		}
		lines := ready[e.Name()]
		if lines == nil {
			t.Errorf("nobody says what is ready in the example %s", e.Name())
		}
		t.Run(e.Name(), func(t *testing.T) {
			dir := example(t, e.Name())
			for _, board := range boards.Names() {
				t.Run(board, func(t *testing.T) { boot(t, dir, board, qemu.Config{Network: true}, lines...) })
			}
		})
	}
}

// TestGatewayPassesData: what a client with a certificate sends arrives, in both
// directions, up to the end of each; a client without one gets nowhere.
func TestGatewayPassesData(t *testing.T) {
	// A server that answers, when it has got everything, with what it got, backwards.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				all, err := io.ReadAll(c)
				if err != nil {
					return // the client will miss its answer
				}
				reverse(all)
				c.Write(all)
			}()
		}
	}()
	dir := example(t, "gateway", "10.0.2.2:1883", fmt.Sprintf("%s:%d", qemu.HostAddress, l.Addr().(*net.TCPAddr).Port))
	m := boot(t, dir, boards.Default, qemu.Config{Forwards: []qemu.Forward{{GuestPort: 8883}}}, "TLS mqtt")

	data := make([]byte, 300_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	for range 3 {
		c, err := tls.Dial("tcp4", m.Addr(8883), client(t, dir, true))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		go func() {
			c.Write(data)
			c.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		c.Close()
		reverse(got)
		if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
			t.Errorf("%d bytes came back of %d, or others: %v", len(got), len(data), err)
		}
	}

	c, err := tls.Dial("tcp4", m.Addr(8883), client(t, dir, false))
	if err == nil { // in TLS 1.3, a client hears of it when it reads
		c.SetDeadline(time.Now().Add(patience))
		_, err = io.ReadAll(c)
		c.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a certificate: %v", err)
	}
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// TestGatewayMQTT: MQTT over TLS to the gateway, in the clear to mosquitto.
func TestGatewayMQTT(t *testing.T) {
	program := func(name string) string {
		for _, n := range []string{name, "/usr/sbin/" + name} {
			if path, err := exec.LookPath(n); err == nil {
				return path
			}
		}
		t.Skipf("there is no %s; apt-get install mosquitto mosquitto-clients", name)
		return ""
	}
	broker, pub, sub := program("mosquitto"), program("mosquitto_pub"), program("mosquitto_sub")
	port := startBroker(t, broker)
	dir := example(t, "gateway", "10.0.2.2:1883", fmt.Sprintf("%s:%d", qemu.HostAddress, port))
	m := boot(t, dir, boards.Default, qemu.Config{Forwards: []qemu.Forward{{GuestPort: 8883}}}, "TLS mqtt")
	_, gateway, err := net.SplitHostPort(m.Addr(8883))
	if err != nil {
		t.Fatal(err)
	}
	host := filepath.Join(dir, "certs", "host")
	secured := []string{"-h", "localhost", "-p", gateway, "--cafile", filepath.Join(host, "ca.pem"),
		"--cert", filepath.Join(host, "client.pem"), "--key", filepath.Join(host, "client-key.pem")}
	plain := []string{"-h", "127.0.0.1", "-p", fmt.Sprint(port)}
	mqtt := func(program string, where []string, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		out, err := exec.CommandContext(ctx, program, append(where, args...)...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	// Messages that the broker keeps: so nobody has to be there at the right time.
	if out, err := mqtt(pub, secured, "-t", "room/temperature", "-r", "-q", "1", "-m", "21.5"); err != nil {
		t.Fatalf("publishing through the gateway: %v, %s; the gateway's console ends: %s", err, out, m.ConsoleTail())
	}
	if out, err := mqtt(sub, plain, "-t", "room/#", "-C", "1", "-v"); err != nil || out != "room/temperature 21.5" {
		t.Errorf("the broker has %q (%v)", out, err)
	}
	if out, err := mqtt(pub, plain, "-t", "display/text", "-r", "-q", "1", "-m", "hello"); err != nil {
		t.Fatalf("publishing: %v, %s", err, out)
	}
	if out, err := mqtt(sub, secured, "-t", "display/#", "-C", "1", "-v"); err != nil || out != "display/text hello" {
		t.Errorf("through the gateway came %q (%v)", out, err)
	}
	if out, err := mqtt(pub, secured[:6], "-t", "room/temperature", "-m", "0"); err == nil {
		t.Errorf("a client without a certificate could publish: %s", out)
	}
	if _, err := m.WaitConsole(t.Context(), regexp.MustCompile(`msg=relayed service=mqtt .* end=closed .* peer="?CN=`)); err != nil {
		t.Error(err)
	}
}

// startBroker starts mosquitto at a free port of 127.0.0.1.
func startBroker(t *testing.T, program string) (port int) {
	t.Helper()
	for range 10 { // another program may take the port
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
		file := filepath.Join(t.TempDir(), "mosquitto.conf")
		text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest stderr\n", port)
		if os.Getuid() == 0 {
			text += "user root\n" // it would give up its rights, and the folder is ours
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "-c", file)
		var output bytes.Buffer
		cmd.Stderr = &output
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		stop := func() {
			cmd.Process.Kill()
			<-ended
		}
		for deadline := time.Now().Add(patience); ; {
			if c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				c.Close()
				t.Cleanup(stop)
				return port
			}
			select {
			case err := <-ended:
				t.Logf("mosquitto ended: %v, %s", err, &output)
			case <-time.After(20 * time.Millisecond):
				if time.Now().Before(deadline) {
					continue
				}
				stop()
				t.Fatalf("mosquitto doesn't listen: %s", &output)
			}
			break
		}
	}
	t.Fatal("mosquitto doesn't start")
	return 0
}

// TestSite: an example's files, from the fixed address that it says.
func TestSite(t *testing.T) {
	dir := example(t, "site")
	ports := qemu.Config{Forwards: []qemu.Forward{{GuestPort: 443}}, Address: netip.MustParsePrefix("192.168.76.2/24"), Gateway: netip.MustParseAddr("192.168.76.1")}
	m := boot(t, dir, boards.Default, ports, "TLS web on 192.168.76.2:443")
	web := http.Client{Transport: &http.Transport{TLSClientConfig: client(t, dir, false), DisableKeepAlives: true}, Timeout: patience}
	for path, want := range map[string]string{"/": "index.html", "/style.css": "style.css"} {
		r, err := web.Get("https://" + m.Addr(443) + path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		r.Body.Close()
		file, err2 := os.ReadFile(filepath.Join(dir, "www", want))
		if err != nil || err2 != nil || !bytes.Equal(got, file) {
			t.Errorf("%s has %d bytes, its file %d (%v, %v)", path, len(got), len(file), err, err2)
		}
		if r.Header.Get("Content-Security-Policy") != "default-src 'self'" || r.Header.Get("Cache-Control") != "max-age=3600" {
			t.Errorf("%s comes with %v", path, r.Header)
		}
	}
}
