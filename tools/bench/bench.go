package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ingot.dev/board/boards"
	"ingot.dev/firmware/bench"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// firmwarePackage is what is measured.
const firmwarePackage = "ingot.dev/firmware/cmd/ingot-firmware"

// Parts of a benchmark, in the order in which they run.
const (
	PartBoot  = "boot"  // from power-on to the first handshake
	PartSpeed = "speed" // at the host's speed
	PartCount = "count" // instructions

	PartLayers = "layers" // which layers they belong to

	PartPortable = "portable" // speed and count without assembly for ciphers

	PartLoad = "load" // many connections

	PartRelay = "relay" // what a relay adds to TLS
)

// Parts lists them.
func Parts() []string {
	return []string{PartBoot, PartSpeed, PartCount, PartLayers, PartPortable, PartLoad, PartRelay}
}

// Options says what to measure. Certs is required.
type Options struct {
	Board string // empty: boards.Default

	// Certs is the folder with the development certificates that the images
	// embed; the CA's certificate in it verifies them.
	Certs string

	// Quick measures less of everything: a minute in place of several, for
	// numbers with more noise.
	Quick bool

	// Parts says what to run; empty for all.
	Parts []string

	// Progress is told what is being done; nil for nobody.
	Progress io.Writer
}

// amounts is how much is measured.
type amounts struct {
	boots       int
	rate        time.Duration // per primitive, at the host's speed
	countRate   time.Duration // per primitive, in instructions
	idle        time.Duration
	handshakes  int
	plainBytes  int64
	tlsBytes    int64
	echoes      int
	held        []int // ascending
	countShakes int
	countPlain  int64
	countTLS    int64
	countEchoes int64

	lossyBytes int64 // over a lossy link, in a round

	owned, thousands       int // connections: whose memory is divided among owners, and in all
	loadEchoes, loadShakes int // under load, in a round; of a client

	// Of the guest's busy time, with instructions counted: to measure one workload's cost,
	// and to sample it.
	layerCost, layerSamples time.Duration
}

var (
	fullAmounts = amounts{
		boots: 9, rate: 300 * time.Millisecond, countRate: 50 * time.Millisecond, idle: 5 * time.Second,
		handshakes: 150, plainBytes: 100e6, tlsBytes: 30e6, echoes: 3000, held: []int{200, 500, 2000},
		countShakes: 50, countPlain: 20e6, countTLS: 5e6, countEchoes: 500,
		lossyBytes: 20e6, owned: 200, thousands: 10_000, loadEchoes: 300, loadShakes: 15,
		layerCost: 200 * time.Millisecond, layerSamples: 1500 * time.Millisecond,
	}
	quickAmounts = amounts{
		boots: 3, rate: 60 * time.Millisecond, countRate: 15 * time.Millisecond, idle: 2 * time.Second,
		handshakes: 30, plainBytes: 20e6, tlsBytes: 6e6, echoes: 500, held: []int{100},
		countShakes: 20, countPlain: 5e6, countTLS: 2e6, countEchoes: 200,
		lossyBytes: 4e6, owned: 100, thousands: 500, loadEchoes: 100, loadShakes: 5,
		layerCost: 50 * time.Millisecond, layerSamples: 200 * time.Millisecond,
	}
)

// A run is a benchmark under way.
type run struct {
	opt     Options
	amounts amounts
	board   boards.Board
	client  *tls.Config
	dir     string // for images
	result  *Result

	noARMAsm bool // the image's cryptography is portable code
}

// takes reports whether a part is to be run.
func (r *run) takes(part string) bool {
	return len(r.opt.Parts) == 0 || slices.Contains(r.opt.Parts, part)
}

// Run measures. Errors wrap those of packages image and qemu.
func Run(ctx context.Context, opt Options) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	board, err := boards.ByName(opt.Board)
	if err != nil {
		return nil, err
	}
	for _, p := range opt.Parts {
		if !slices.Contains(Parts(), p) {
			return nil, fmt.Errorf("unknown part %q; known: %s", p, strings.Join(Parts(), ", "))
		}
	}
	if r := (&run{opt: opt}); r.takes(PartPortable) && !r.takes(PartSpeed) && !r.takes(PartCount) {
		return nil, errBeside
	}
	binary, err := qemu.Find(opt.Board)
	if err != nil {
		return nil, err
	}
	r := &run{opt: opt, amounts: fullAmounts, board: board}
	if opt.Quick {
		r.amounts = quickAmounts
	}
	if r.client, err = clientConfig(opt.Certs); err != nil {
		return nil, err
	}
	if r.dir, err = os.MkdirTemp("", "ingot-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(r.dir)
	r.result = &Result{Board: board.Title, Go: "go", QEMU: qemuVersion(ctx, binary), Quick: opt.Quick}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{PartBoot, r.boots}, {PartSpeed, r.speed}, {PartCount, r.count}, {PartLayers, r.layers}, {PartPortable, r.portable}, {PartLoad, r.load}, {PartRelay, r.relay}} {
		if !r.takes(part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return nil, fmt.Errorf("bench %s: %w", part.name, err)
		}
	}
	return r.result, nil
}

func (r *run) say(format string, args ...any) {
	if r.opt.Progress != nil {
		fmt.Fprintf(r.opt.Progress, format+"\n", args...)
	}
}

// clientConfig trusts the development CA.
func clientConfig(certs string) (*tls.Config, error) {
	file := filepath.Join(certs, "host", "ca.pem")
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the development CA: %w; 'make certs' makes one", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}, nil
}

// x25519Only is a client's configuration that spares the firmware ML-KEM.
func x25519Only(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.CurvePreferences = []tls.CurveID{tls.X25519}
	return c
}

func qemuVersion(ctx context.Context, binary string) string {
	out, err := exec.CommandContext(ctx, binary, "--version").Output()
	line, _, _ := strings.Cut(string(out), "\n")
	if err != nil || line == "" {
		return "QEMU of unknown version"
	}
	return strings.Replace(line, "QEMU emulator version", "QEMU", 1)
}

// build makes an image. The budget does not count here: a firmware that is too
// large shall be measured all the same, and its size is among the results.
func (r *run) build(ctx context.Context, name string, tags ...string) (*image.Image, error) {
	r.say("building %s", name)
	return image.Build(ctx, image.Options{
		Package: []string{firmwarePackage}, Output: filepath.Join(r.dir, name+".elf"),
		Board: r.opt.Board, Tags: tags, NoBudget: true, NoARMAsm: r.noARMAsm,
	})
}

// benchImage returns the benchmark image, built once.
func (r *run) benchImage(ctx context.Context) (string, error) {
	name := "bench"
	if r.noARMAsm {
		name += "-portable"
	}
	file := filepath.Join(r.dir, name+".elf")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	im, err := r.build(ctx, name, "bench")
	if err != nil {
		return "", err
	}
	return im.Path, nil
}

// bootLimit is how long a machine may take to serve.
const bootLimit = 2 * time.Minute

// boot starts the benchmark image and connects to its control service.
func (r *run) boot(ctx context.Context, icount string, env ...string) (*qemu.Machine, *target, *control, error) {
	file, err := r.benchImage(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	cfg := qemu.Config{Image: file, Board: r.opt.Board, ICount: icount, Env: env}
	for _, port := range []int{
		bench.PortEcho, bench.PortControl, bench.PortTLSSink, bench.PortTLSSource,
		bench.PortSink, bench.PortSource, bench.PortPlainEcho, bench.PortHeld, bench.PortToSink, bench.PortToSource,
	} {
		cfg.Forwards = append(cfg.Forwards, qemu.Forward{GuestPort: port})
	}
	for setting, serve := range map[string]func(context.Context, net.Conn){bench.ToSinkVar: bench.Sink, bench.ToSourceVar: bench.Source} {
		port, err := behind(ctx, serve)
		if err != nil {
			return nil, nil, nil, err
		}
		cfg.Env = append(cfg.Env, fmt.Sprintf("%s=%s:%d", setting, qemu.HostAddress, port))
	}
	m, err := qemu.Start(ctx, cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	t := &target{dial: m.DialForward, tls: r.client}
	c, err := r.connect(ctx, m, t)
	if err != nil {
		m.Stop()
		return nil, nil, nil, err
	}
	s, err := c.status()
	if err != nil {
		m.Stop()
		return nil, nil, nil, describe(m, err)
	}
	r.result.Go = s.GoVersion
	return m, t, c, nil
}

// behind serves in the clear, on the host, what the firmware's relays lead to, until ctx
// ends. It returns the port.
func behind(ctx context.Context, serve func(context.Context, net.Conn)) (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go accept(ctx, l, serve)
	return l.Addr().(*net.TCPAddr).Port, nil
}

// connect waits until the firmware serves.
func (r *run) connect(ctx context.Context, m *qemu.Machine, t *target) (*control, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, bootLimit, fmt.Errorf("not ready within %v", bootLimit))
	defer cancel()
	// What it prints last.
	if _, err := m.WaitConsole(ctx, readyLine); err != nil {
		return nil, err
	}
	if _, err := m.WaitConsole(ctx, plainReadyLine); err != nil {
		return nil, err
	}
	c, err := t.control(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, m.ConsoleTail())
	}
	return c, nil
}

// describe adds what the console says to an error.
func describe(m *qemu.Machine, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w; %s", err, m.ConsoleTail())
}
