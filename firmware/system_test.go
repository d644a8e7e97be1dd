package firmware

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/board/driver/wdog"
	"ingot.dev/board/nic/nictest"
	"ingot.dev/certs/certstest"
	"ingot.dev/internal/testenv"
	"ingot.dev/net/inet"
	"ingot.dev/net/netstack"
	"ingot.dev/tlsio"
)

// console collects log lines, and lets a test wait for one.
type console struct {
	mu    sync.Mutex
	text  []byte
	wrote chan struct{} // has room for one
}

func newConsole() *console { return &console{wrote: make(chan struct{}, 1)} }

func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.text = append(c.text, b...)
	c.mu.Unlock()
	select {
	case c.wrote <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (c *console) log() *slog.Logger { return slog.New(slog.NewTextHandler(c, nil)) }

// wait returns what the expression and its group match first.
func (c *console) wait(t *testing.T, expr string) []string {
	t.Helper()
	re := regexp.MustCompile(expr)
	limit := time.After(time.Minute)
	for {
		c.mu.Lock()
		text := string(c.text)
		c.mu.Unlock()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-c.wrote:
		case <-limit:
			t.Fatalf("no %q on the console:\n%s", expr, text)
		}
	}
}

// noLeak fails the test when it ends with more goroutines of this module than it
// began with.
func noLeak(t *testing.T) {
	count := func() (n int, dump string) {
		b := make([]byte, 1<<20)
		dump = string(b[:runtime.Stack(b, true)])
		for _, g := range strings.Split(dump, "\n\n")[1:] {
			if strings.Contains(g, "ingot.dev/") || strings.Contains(g, "gvisor.dev/") {
				n++
			}
		}
		return n, dump
	}
	before, _ := count()
	t.Cleanup(func() {
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if n, _ := count(); n <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		n, dump := count()
		t.Errorf("%d goroutines, %d before:\n%s", n, before, dump)
	})
}

func dialTLS(t *testing.T, addr string, config *tls.Config) net.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// TestBoardNetwork is Start without the board's devices: the stack on a wire, the
// address of the settings, a service that another stack reaches.
//
//conform:ecma-419 HostProvider differs firmware.Start, firmware.System -- no global of default options: the System holds network and certificates, and Listen takes from it what a service's options lack
func TestBoardNetwork(t *testing.T) {
	testenv.NeedFiles(t)
	noLeak(t)
	fsys, ca := store(t, ".", certstest.Template{Names: []string{"board.test"}})
	out := newConsole()
	s := &System{Log: out.log()}
	if err := s.loadCerts(&Config{Certs: fsys}, false); err != nil {
		t.Fatal(err)
	}
	out.wait(t, `time .* source="the boot loader"`)

	port, wire := nictest.Pipe(nictest.WireOptions{})
	set, err := readSettings(func(name string) string {
		return map[string]string{"INGOT_ADDR": "10.0.2.15/24", "INGOT_GATEWAY": "10.0.2.2"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.openStack(t.Context(), port, set); err != nil {
		t.Fatal(err)
	}
	peer, err := netstack.Open(t.Context(), wire, netstack.Config{Address: netip.MustParsePrefix("10.0.2.2/24"), Log: s.Log})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	service := &Service{Name: "echo", Listen: ":8443", Serve: Echo}
	l, err := s.Listen(ctx, service)
	if err != nil {
		t.Fatal(err)
	}
	out.wait(t, `ready: TLS echo on 10\.0\.2\.15:8443`)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l, service) }()

	raw, err := peer.DialContext(t.Context(), "tcp", "10.0.2.15:8443")
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, &tls.Config{RootCAs: ca.Pool(), ServerName: "board.test"})
	defer c.Close()
	io.WriteString(c, "over the wire")
	c.CloseWrite()
	if b, err := io.ReadAll(c); string(b) != "over the wire" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve ended with %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestBoardNetworkRefused(t *testing.T) {
	noLeak(t)
	s := &System{Log: slog.New(slog.DiscardHandler)}
	port, _ := nictest.Pipe(nictest.WireOptions{})
	var bad *netstack.ConfigError
	err := s.openStack(t.Context(), port, settings{gateway: netip.MustParseAddr("10.0.2.2")})
	if !errors.As(err, &bad) || bad.Field != "Gateway" || s.Net != nil {
		t.Errorf("a gateway without an address: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// dog is a watchdog whose Guard asks a few times and then gives the answers.
type dog struct {
	startErr error
	timeout  time.Duration
	answers  chan error
}

func (d *dog) Start(timeout time.Duration) error {
	d.timeout = timeout
	return d.startErr
}

func (d *dog) ResetCause() wdog.Cause { return wdog.CauseTimeout }

func (d *dog) Guard(ctx context.Context, o wdog.GuardOptions) error {
	for range 3 {
		within, cancel := context.WithTimeout(ctx, time.Minute)
		d.answers <- o.Check(within)
		cancel()
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestWatchdog: the health check is a datagram to itself and back.
func TestWatchdog(t *testing.T) {
	testenv.NeedHost(t)
	noLeak(t)
	out := newConsole()
	s := &System{Net: inet.Host(), Log: out.log()}
	d := &dog{answers: make(chan error, 3)}
	if err := s.startWatchdog(d); err != nil {
		t.Fatal(err)
	}
	out.wait(t, `watchdog started.*timeout=1m0s "last reset"="watchdog timeout"`)
	if d.timeout != watchdogTime {
		t.Errorf("timeout %v", d.timeout)
	}
	for range 3 {
		if err := <-d.answers; err != nil {
			t.Errorf("health check: %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	d.startErr = errors.New("started already")
	if err := s.startWatchdog(d); !errors.Is(err, d.startErr) {
		t.Errorf("a watchdog that doesn't start: %v", err)
	}
}

// TestHealthCheckFails when the network does not work, in time, and passes over
// what is not its own.
func TestHealthCheckFails(t *testing.T) {
	testenv.NeedHost(t)
	s := &System{Net: inet.Host()}
	echo, err := s.newLoopback()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := echo.WriteTo([]byte("of an earlier check"), echo.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := echo.check(t.Context()); err != nil {
		t.Errorf("with another datagram before its own: %v", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if err := echo.check(late); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	echo.Close()
	if err := echo.check(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	closed := &System{Net: noNetwork{}}
	if err := closed.startWatchdog(&dog{}); !errors.Is(err, errNoNetwork) {
		t.Errorf("no socket: %v", err)
	}
}

var errNoNetwork = errors.New("no network")

type noNetwork struct{ inet.Network }

func (noNetwork) ListenPacket(context.Context, string, string) (net.PacketConn, error) {
	return nil, errNoNetwork
}

// hostedSystem returns a running system on the host's network.
func hostedSystem(t *testing.T, out *console) (*System, *certstest.CA) {
	testenv.NeedHost(t)
	fsys, ca := store(t, ".", certstest.Template{Names: []string{"localhost"}})
	s, err := Start(t.Context(), Config{Certs: fsys, Log: out.log()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, ca
}

// failing is a listener whose Accept fails when it is told to.
type failing struct {
	net.Listener
	err chan error
}

func (l failing) Accept() (net.Conn, error) {
	type result struct {
		c   net.Conn
		err error
	}
	accepted := make(chan result, 1)
	go func() {
		c, err := l.Listener.Accept()
		accepted <- result{c, err}
	}()
	select {
	case r := <-accepted:
		return r.c, r.err
	case err := <-l.err:
		return nil, err
	}
}

// TestServeEnds: whether its context ends or its listener fails, Serve closes the
// connections, also those on which nothing happens, and returns.
func TestServeEnds(t *testing.T) {
	for _, how := range []string{"context", "listener"} {
		t.Run(how, func(t *testing.T) {
			noLeak(t)
			s, ca := hostedSystem(t, newConsole())
			began := make(chan struct{})
			service := &Service{Name: "idle", Listen: "127.0.0.1:0", Serve: func(_ context.Context, c net.Conn) {
				close(began)
				io.Copy(io.Discard, c)
			}}
			l, err := s.Listen(t.Context(), service)
			if err != nil {
				t.Fatal(err)
			}
			broken := errors.New("broken")
			fail := failing{l, make(chan error, 1)}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			served := make(chan error, 1)
			go func() { served <- s.Serve(ctx, fail, service) }()
			c := dialTLS(t, l.Addr().String(), &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
			<-began
			if how == "context" {
				stop()
				err = nil
			} else {
				fail.err <- broken
				err = broken
			}
			if got := <-served; got != err {
				t.Errorf("Serve returned %v, want %v", got, err)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection lives on: %v", err)
			}
			if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
				c.Close()
				t.Error("the listener lives on")
			}
		})
	}
}

// TestClientsOfTheStore: a service that wants client certificates, and names no
// authority, takes those of the store's.
//
//conform:ecma-419 rule.store works firmware.System.Listen, certs.Store.Roots, tlsio.TLSOptions.Roots
func TestClientsOfTheStore(t *testing.T) {
	noLeak(t)
	out := newConsole()
	s, ca := hostedSystem(t, out)
	service := &Service{Name: "mutual", Listen: "127.0.0.1:0", Serve: Echo, TLS: tlsio.TLSOptions{ClientAuth: tlsio.ClientAuthRequire}}
	l, err := s.Listen(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l, service) }()
	defer func() { stop(); <-served }()

	config := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}
	if c, err := tls.Dial("tcp", l.Addr().String(), config); err == nil {
		if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("without a certificate: %v", err)
		}
		c.Close()
	}
	out.wait(t, `refused.*service=mutual.*remote=127\.0\.0\.1`)
	config.Certificates = []tls.Certificate{ca.Issue(certstest.Template{CommonName: "client", Client: true}).TLS()}
	c := dialTLS(t, l.Addr().String(), config)
	io.WriteString(c, "known")
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "known" {
		t.Errorf("with one: %q, %v", b, err)
	}
}

// TestRunEnds: an end that the caller wants is no error, whatever its cause; one
// that a part of the firmware brings about is, even if it looks the same.
func TestRunEnds(t *testing.T) {
	testenv.NeedHost(t)
	fsys, _ := store(t, ".", certstest.Template{Names: []string{"localhost"}})
	quiet := slog.New(slog.DiscardHandler)
	own := errors.New("own")
	waits := func(ctx context.Context, _ *System) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	fails := func(err error) func(context.Context, *System) error {
		return func(context.Context, *System) error { return err }
	}
	for _, c := range []struct {
		name       string
		cause      error // the caller's
		background func(context.Context, *System) error
		want       error
	}{
		{"caller", context.Canceled, waits, nil},
		{"caller with a cause", own, waits, nil},
		{"background", nil, fails(own), own},
		{"background timed out", nil, fails(os.ErrDeadlineExceeded), os.ErrDeadlineExceeded},
		{"background's own deadline", nil, fails(context.DeadlineExceeded), context.DeadlineExceeded},
		{"background is done", context.Canceled, fails(nil), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeak(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if c.cause != nil {
				time.AfterFunc(20*time.Millisecond, func() { cancel(c.cause) })
			}
			err := Run(ctx, Config{Certs: fsys, Log: quiet, Background: c.background,
				Services: []Service{{Name: "echo", Listen: "127.0.0.1:0", Serve: Echo}}})
			if err != c.want {
				t.Errorf("Run returned %v, want %v", err, c.want)
			}
		})
	}
	err := Run(t.Context(), Config{Certs: fsys, Log: quiet, Services: []Service{{Name: "nothing", Listen: "127.0.0.1:0"}}})
	if err == nil || !strings.Contains(err.Error(), "service nothing: Service.Serve is missing") {
		t.Errorf("a service that does nothing: %v", err)
	}
}

// TestMainInterrupted: Main serves until the program is interrupted.
func TestMainInterrupted(t *testing.T) {
	testenv.NeedHost(t)
	noLeak(t)
	fsys, _ := store(t, ".", certstest.Template{Names: []string{"localhost"}})
	out := newConsole()
	done := make(chan struct{})
	go func() {
		defer close(done)
		Main(Config{Certs: fsys, Log: out.log(), Services: []Service{{Name: "echo", Listen: "127.0.0.1:0", Serve: Echo}}})
	}()
	out.wait(t, `ready: TLS echo`)
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(os.Interrupt)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-done
}

// TestMainFails: what keeps Main from starting is on the console, and the exit
// status says so.
func TestMainFails(t *testing.T) {
	testenv.NeedProcess(t)
	if os.Getenv("FIRMWARE_TEST_MAIN") != "" {
		Main(Config{})
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMainFails$")
	cmd.Env = append(os.Environ(), "FIRMWARE_TEST_MAIN=1", "INGOT_ADDR=nonsense")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "INGOT_ADDR=") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestErrNoEntropy: who reads it on a console knows what to do.
func TestErrNoEntropy(t *testing.T) {
	for _, want := range []string{"no entropy", "boot parameters", "32 fresh random bytes", "ingot run"} {
		if !strings.Contains(ErrNoEntropy.Error(), want) {
			t.Errorf("%q does not say %q", ErrNoEntropy, want)
		}
	}
}

// TestBuildFloor: an image that was not told when it was built has no floor.
func TestBuildFloor(t *testing.T) {
	defer func(was string) { buildTime = was }(buildTime)
	for in, want := range map[string]time.Time{"": {}, "1700000000": time.Unix(1700000000, 0), "soon": {}} {
		if buildTime = in; !buildFloor().Equal(want) {
			t.Errorf("%q: %v, want %v", in, buildFloor(), want)
		}
	}
}

// On a board, connections are limited by memory; hosted there is no limit to go by.
func TestMaxConnections(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(448 << 20))
	if n := maxConnections(); n < 500 || n > 700 {
		t.Errorf("%d connections with 448 MiB", n)
	}
	debug.SetMemoryLimit(1)
	if n := maxConnections(); n != 1 {
		t.Errorf("%d connections without memory", n)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	if n := maxConnections(); n != 0 {
		t.Errorf("%d connections with a limit that nobody has set", n)
	}
}
