package devrun

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ingot.dev/certs"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// GuestPort is where the default firmware listens.
const GuestPort = 8443

// Errors that Run wraps, beside those of packages qemu and image.
var (
	// ErrPortTaken says that the host's port is in use.
	ErrPortTaken = errors.New("port is in use")
	// ErrNotReady says that the image did not answer within the limit, or
	// not with the right certificate.
	ErrNotReady = errors.New("the image did not get ready")
	// ErrNoAuthority says that there is no file of the authority by whose certificates
	// the firmware is known to be ready.
	ErrNoAuthority = errors.New("the firmware's authority is not known")
	// ErrEnded says that the guest ended by itself.
	ErrEnded = errors.New("the firmware ended")
)

// Options says what to run. Image and MakeCerts are required.
type Options struct {
	// Image says what to build and where to put it.
	Image image.Options

	// Port is the port of 127.0.0.1 at which the guest's GuestPort appears.
	Port int

	// Certs is the folder with the development certificates, of which the
	// part "image" becomes the program's "certs/image". Empty: "certs" in the
	// directory of the program. What is not there is made by MakeCerts.
	Certs     string
	MakeCerts func(dir string) error

	// Services are those of a firmware that is configured, each of which has to be
	// ready; without any, there is one at GuestPort, as in the default firmware. With
	// them, Certs is not embedded, since the program has its own, and only says where
	// the authority is, if there is one.
	Services []Service

	// Address is the fixed address that such a firmware has, and Gateway its router:
	// the emulated network is the one that they are in. The zero Prefix is for DHCP.
	Address netip.Prefix
	Gateway netip.Addr

	// Env is the guest's environment.
	Env []string

	// Limit is how long the guest may take from power-on to the first
	// handshake. Zero: a minute.
	Limit time.Duration

	// Echoes says that the program answers bytes with the same bytes, for advice
	// on how to try it.
	Echoes bool

	// FullPaths has file names in advice in full, for a reader who isn't in the
	// current directory.
	FullPaths bool

	// Check ends the machine and returns nil once it was ready.
	Check bool

	// Console receives the guest's console, Progress what Run has to say.
	Console  io.Writer
	Progress io.Writer

	// Working shows that something which may take long is being done; nil just does
	// it.
	Working func(what string, work func() error) error
}

// Result says what became of a machine that was ready.
type Result struct {
	Image *image.Image
	Port  int           // of 127.0.0.1
	CA    string        // file of the authority that verifies the firmware
	Build time.Duration // to build the image
	Ready time.Duration // from power-on to the first verified handshake
}

// Run returns no error when ctx ends after the firmware was ready: that is how the
// developer stops it.
func Run(ctx context.Context, opt Options) (*Result, error) {
	if opt.Working == nil {
		opt.Working = func(_ string, work func() error) error { return work() }
	}
	r := &Result{Port: opt.Port}
	if err := run(ctx, opt, r); err != nil {
		return nil, err
	}
	return r, nil
}

func run(ctx context.Context, opt Options, r *Result) error {
	say := func(format string, args ...any) { fmt.Fprintf(opt.Progress, format+"\n", args...) }

	_, err := qemu.Find(opt.Image.Board)
	if err != nil {
		return err
	}
	forwards := []qemu.Forward{{HostPort: opt.Port, GuestPort: GuestPort}}
	if len(opt.Services) > 0 {
		forwards = nil
		for _, s := range opt.Services {
			forwards = append(forwards, qemu.Forward{HostPort: s.HostPort, GuestPort: s.Port})
		}
	}
	for _, f := range forwards {
		if err := portFree(f.HostPort); err != nil {
			return err
		}
	}
	dir := opt.Certs
	if len(opt.Services) == 0 {
		if dir, err = embedCerts(ctx, &opt, say); err != nil {
			return err
		}
	}
	caFile := filepath.Join(dir, "host", "ca.pem")
	var h host
	h.roots, err = readRoots(caFile)
	if errors.Is(err, fs.ErrNotExist) && len(opt.Services) > 0 {
		caFile, err = "", nil // the authority is somebody else's
	} else if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is not there; put the authority of its certificates there, or make new ones for development: ingot certs init --force %s",
			ErrNoAuthority, shortest(caFile), ShellWord(shortest(dir)))
	}
	if err != nil {
		return err
	}
	certFile, keyFile := clientFiles(dir)
	if pair, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil {
		h.certificate = pair
	}

	say("Building %s ...", opt.Image.Output)
	start := time.Now()
	err = opt.Working("Building "+opt.Image.Output, func() error {
		r.Image, err = image.Build(ctx, opt.Image)
		return err
	})
	if err != nil {
		return err
	}
	r.Build = time.Since(start)
	say("%v", r.Image)
	if r.Image.Portable != "" {
		say("%s", r.Image.Ciphers())
	}

	m, err := qemu.Start(ctx, qemu.Config{
		Image:    r.Image.Path,
		Board:    opt.Image.Board,
		Forwards: forwards,
		Address:  opt.Address,
		Gateway:  opt.Gateway,
		Env:      opt.Env,
		Console:  opt.Console,
	})
	if errors.Is(err, qemu.ErrPortTaken) {
		return portTaken(forwards[0].HostPort, err)
	}
	if err != nil {
		return err
	}
	defer m.Stop()

	limit := opt.Limit
	if limit == 0 {
		limit = time.Minute
	}
	services := opt.Services
	if len(services) == 0 {
		services = []Service{defaultService}
	}
	err = opt.Working("Waiting for TLS on port "+strconv.Itoa(forwards[0].HostPort), func() error {
		for _, s := range services {
			if err := waitReady(ctx, m, s, &h, limit-time.Since(m.Started())); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Ready = time.Since(m.Started())
	if !opt.FullPaths {
		caFile = shortest(caFile)
	}
	r.CA = caFile
	if opt.Check {
		say("Ready after %d ms.", r.Ready.Milliseconds())
		return nil
	}
	if len(opt.Services) > 0 {
		say("%s", adviceOn(opt.Services, shortest(opt.Certs), caFile, r.Ready))
	} else {
		if !h.asked || h.certificate.Certificate == nil {
			certFile, keyFile = "", ""
		} else if !opt.FullPaths {
			certFile, keyFile = shortest(certFile), shortest(keyFile)
		}
		say("%s", advice(m.Addr(GuestPort), caFile, certFile, keyFile, opt.Echoes, r.Ready))
	}

	code, err := m.Wait()
	switch {
	case err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	return fmt.Errorf("%w with status %d", ErrEnded, code)
}

// embedCerts prepares the certificates of a program and has them built in. It returns
// their folder.
func embedCerts(ctx context.Context, opt *Options, say func(string, ...any)) (dir string, err error) {
	main, err := image.MainDir(ctx, opt.Image)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(main, "certs")
	if opt.Certs != "" {
		dir = opt.Certs
	}
	err = opt.Working("Making certificates", func() error { return prepareCerts(dir, opt.MakeCerts, say) })
	if err == nil && opt.Certs != "" {
		opt.Image.Overlay, err = image.ReplaceDir(filepath.Join(main, "certs", "image"), filepath.Join(dir, "image"))
	}
	return dir, err
}

// portFree finds out about a taken port before the time for a build is spent.
func portFree(port int) error {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return portTaken(port, err)
	}
	return l.Close()
}

func portTaken(port int, err error) error {
	return fmt.Errorf("port %d: %w (%w); stop what uses it, or choose another: --port %d, or make run PORT=%[4]d", port, ErrPortTaken, err, port+1)
}

// prepareCerts makes the development certificates in dir if they are not there,
// and judges them as the firmware will.
func prepareCerts(dir string, makeCerts func(string) error, say func(string, ...any)) error {
	store := filepath.Join(dir, "image")
	if _, err := os.Stat(store); errors.Is(err, fs.ErrNotExist) {
		say("There are no development certificates: making some in %s.", shortest(dir))
		if err := makeCerts(dir); err != nil {
			return err
		}
	}
	if err := certs.Inspect(os.DirFS(store), certs.Options{}).Err(); err != nil {
		return fmt.Errorf("the firmware would not start with the certificates in %s: %w\nTo make new ones: ingot certs init --force %s", shortest(store), err, shortest(dir))
	}
	return nil
}

func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return roots, nil
}

// shortest returns the path as it is from the current directory, if that is
// shorter.
func shortest(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
