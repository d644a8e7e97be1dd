package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// port is the firmware's.
const port = 8443

// patience is for everything that takes a moment: much more than it takes on
// the slowest machine, so that only what hangs runs into it.
const patience = 3 * time.Minute

// world is what all tests share.
var world struct {
	firmware string            // image of the default firmware
	guest    string            // image of guest/
	overlay  map[string]string // for building it, with the test's certificates

	ca     *certstest.CA // issued everything that is right
	caFile string        // the same, for openssl and curl
	store  certstest.Tree
}

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("end-to-end tests are left out by -short")
		return
	}
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ingot-e2e-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := setUp(setupTB{dir: dir}, dir); err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

// setupTB lets certstest work before there is a test.
type setupTB struct {
	testing.TB
	dir string
}

func (tb setupTB) Helper()                   {}
func (tb setupTB) Fatalf(f string, a ...any) { log.Panicf(f, a...) }
func (tb setupTB) TempDir() string {
	dir, err := os.MkdirTemp(tb.dir, "")
	if err != nil {
		log.Panic(err)
	}
	return dir
}

func setUp(tb testing.TB, dir string) error {
	if _, err := qemu.Find(""); err != nil {
		return err
	}
	world.ca = certstest.NewCA(tb, certstest.Template{})
	world.caFile = world.ca.WritePEM(tb)
	world.store = certstest.Tree{}
	world.store.AddAnchor("", world.ca)
	// The default identity has an intermediate: clients that know only
	// the authority verify it only if the whole chain is sent.
	between := world.ca.Intermediate(certstest.Template{})
	world.store.AddIdentity("default", between.Issue(certstest.Template{Names: []string{"localhost"}, IPs: []string{"127.0.0.1"}}))
	world.store.AddIdentity("alt", world.ca.Issue(certstest.Template{Names: []string{"alt.ingot.test", "*.alt.ingot.test"}}))
	world.store.AddIdentity("client", world.ca.Issue(certstest.Template{Client: true, CommonName: "the board"}))

	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	overlay, err := embedInstead(ctx, tb, dir)
	if err != nil {
		return err
	}
	world.overlay = overlay
	world.firmware = filepath.Join(dir, "firmware.elf")
	im, err := image.Build(ctx, image.Options{Package: []string{firmwarePackage}, Output: world.firmware, Overlay: overlay})
	if err != nil {
		return err
	}
	fmt.Println(im)
	world.guest = filepath.Join(dir, "guest.elf")
	_, err = image.Build(ctx, image.Options{Package: []string{"./guest"}, Output: world.guest, Symbols: true})
	return err
}

const firmwarePackage = "ingot.dev/firmware/cmd/ingot-firmware"

// embedInstead returns an overlay that has the test's store in place of the
// development certificates, whether or not there are any.
func embedInstead(ctx context.Context, tb testing.TB, dir string) (map[string]string, error) {
	main, err := image.MainDir(ctx, image.Options{Package: []string{firmwarePackage}})
	if err != nil {
		return nil, err
	}
	store := filepath.Join(dir, "store")
	world.store.WriteDir(tb, store)
	return image.ReplaceDir(filepath.Join(main, "certs", "image"), store)
}

// storeEnv is the certificate store as guest/ takes it.
func storeEnv(t testing.TB, store certstest.Tree) string {
	t.Helper()
	b, err := json.Marshal(store)
	if err != nil {
		t.Fatal(err)
	}
	return "STORE=" + string(b)
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the test's time is up"))
	t.Cleanup(cancel)
	return ctx
}

// start boots a machine that ends with the test.
func start(t testing.TB, cfg qemu.Config) *qemu.Machine {
	t.Helper()
	if cfg.Image == "" {
		cfg.Image = world.firmware
	}
	m, err := qemu.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Stop()
		if t.Failed() {
			t.Log(m.ConsoleTail())
		}
	})
	return m
}

var listening = regexp.MustCompile(`ready: TLS echo on (\S+).*\n`)

// serve boots the default firmware with settings and waits until it listens.
func serve(t testing.TB, env ...string) *qemu.Machine {
	t.Helper()
	m := start(t, qemu.Config{Env: env, Forwards: []qemu.Forward{{GuestPort: port}}})
	if _, err := m.WaitConsole(testContext(t), listening); err != nil {
		t.Fatal(err)
	}
	return m
}

// exits reports an error unless the guest's program ends with status want.
func exits(t testing.TB, m *qemu.Machine, want int) {
	t.Helper()
	select {
	case <-m.Done():
	case <-testContext(t).Done():
		t.Fatal("the guest does not end")
	}
	if code, err := m.Wait(); code != want || err != nil {
		t.Fatalf("the guest ended with %d, %v; want %d", code, err, want)
	}
}

// clientConfig is that of a client that has nothing but the authority.
func clientConfig() *tls.Config {
	return &tls.Config{RootCAs: world.ca.Pool(), ServerName: "localhost"}
}

// connect opens a TLS connection to the firmware.
func connect(ctx context.Context, m *qemu.Machine, config *tls.Config) (*tls.Conn, error) {
	raw, err := m.DialForward(ctx, port)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	raw.SetDeadline(deadline)
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// mustConnect is connect for tests in which nothing may go wrong.
func mustConnect(t testing.TB, m *qemu.Machine, config *tls.Config) *tls.Conn {
	t.Helper()
	conn, err := connect(testContext(t), m, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// echo sends n random bytes and expects them back.
func echo(conn net.Conn, n int) error {
	want := randomBytes(n)
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(want)
		sent <- err
	}()
	got := make([]byte, n)
	if k, err := io.ReadFull(conn, got); err != nil {
		return fmt.Errorf("after %d of %d bytes: %w", k, n, err)
	}
	if err := <-sent; err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes came back changed", n)
	}
	return nil
}

func mustEcho(t testing.TB, conn net.Conn, n int) {
	t.Helper()
	if err := echo(conn, n); err != nil {
		t.Error(err)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// program returns the path of one of the host's programs. CI has them all.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("not installed: %v", err)
	}
	return path
}

// command runs a program on the host and returns what it printed and its exit
// status.
func command(t testing.TB, stdin io.Reader, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), program(t, name), args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", name, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// hostPort splits the host's address of the firmware.
func hostPort(t testing.TB, m *qemu.Machine) (port string) {
	t.Helper()
	_, port, err := net.SplitHostPort(m.Addr(8443))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// contains reports an error unless text has every part.
func contains(t testing.TB, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: no %q in\n%s", what, part, text)
		}
	}
}
