package firmware

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"time"

	"ingot.dev/board"
	"ingot.dev/board/devices"
	"ingot.dev/board/nic"
	"ingot.dev/certs"
	"ingot.dev/net/inet"
	"ingot.dev/net/netstack"
	"ingot.dev/tlsio"
)

// ErrNoEntropy says that there is no source of random numbers.
var ErrNoEntropy = errors.New("no entropy: no seed came with the boot parameters and no noise source of the processor's gave one; " +
	"have the boot loader write 32 fresh random bytes into the boot parameters (in QEMU, 'ingot run' does)")

// Config says what a firmware is.
type Config struct {
	// Certs holds the certificate store, at its root or, as go:embed leaves it, in
	// "certs/image" (where 'ingot certs init' puts it) or "certs". See package
	// certs for its layout.
	Certs fs.FS

	// Bundles lets Certs hold bundles of anchors, for stores of many authorities;
	// give it certs.Bundles(). Verify by them with tlsio.RootsFor and the RootsFor of
	// System.Certs.
	Bundles certs.BundleReader

	// Rules lets Certs hold CRLs and pins; give it certs.Rules(). Services use them by
	// Prepare.
	Rules certs.RuleReader

	// Keeper has the private keys that are not in Certs; give it certs.KeptBy.
	Keeper certs.KeyReader

	// Services are what Main serves.
	Services []Service

	// Background runs beside the services, from when the system is up until ctx
	// ends, for what is not a TLS service. Its error ends the firmware; without
	// one it may return early.
	Background func(ctx context.Context, s *System) error

	// Getenv reads settings; nil for os.Getenv.
	Getenv func(string) string

	// Log is told what happens; nil for the console.
	Log *slog.Logger
}

// A Service answers TLS connections at an address: Listen, TLS and Serve are all that
// most need. The packages below firmware make services of the usual kinds.
type Service struct {
	Name   string // for messages
	Listen string // "host:port"; an empty host is every address

	// TLS configures the listener. Without GetCertificate and ServerCertificate,
	// the store's identities are offered, chosen by SNI; with ClientAuth but
	// without CA, Roots and RootsFor, clients are judged by the store's anchors (where
	// it has lists of what they have revoked, JudgedBy does that). Without
	// MaxConnections, a board accepts as many as its memory has room for when all of
	// them have full buffers (586 with 512 MB); without HandshakeRate, it begins 20
	// handshakes per second, and 100 at once (a PerSecond of a million is no limit).
	TLS tlsio.TLSOptions

	// Prepare, if not nil, completes TLS with what is in the store, which isn't there
	// yet when a Service is written down: options is a copy of TLS. [JudgedBy] makes
	// one for clients of a group.
	Prepare func(store *certs.Store, options *tlsio.TLSOptions) error

	// Serve answers one connection, on a goroutine of its own. The connection is
	// closed when it returns, and when ctx ends.
	Serve func(ctx context.Context, conn net.Conn)

	// Plain serves TCP without TLS, whose options are not used then.
	Plain bool

	// Open, if not nil, opens the listener in place of Listen and TLS, for what can
	// only be done once the system is up. ctx bounds the opening alone.
	Open func(ctx context.Context, s *System) (net.Listener, error)

	// Run, if not nil, is used in place of Serve: it accepts connections itself. It returns nil soon after
	// ctx has ended, when all that it has begun has; its error before that ends the
	// firmware. l, which is closed when ctx ends, is nil for a service with neither
	// Open nor Listen: that has no listener.
	Run func(ctx context.Context, s *System, l net.Listener) error
}

// A System is a board that is up. Its fields are not to be changed; its methods may
// be called from any goroutine.
type System struct {
	Net   inet.Network
	Certs *certs.Store
	Log   *slog.Logger

	stack *netstack.Stack // nil when hosted
	guard context.CancelFunc
	clock boardClock

	timeSource string // at the start; empty when hosted

	partsMu sync.Mutex
	parts   []any // see Register
}

// Main starts the system and serves until the program is interrupted, which on a
// board is never. When something can't be started it says so and exits with
// status 1.
func Main(c Config) {
	ctx := context.Background()
	if board.Name == "" { // nobody interrupts a board: it carries nothing for that
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
	}
	if err := Run(ctx, c); err != nil {
		logger(c).Error(err.Error())
		os.Exit(1)
	}
}

// Run starts the system and serves its services until ctx ends, then closes them
// and returns nil; or returns what kept it from starting or serving. When it
// returns, every Serve and Background has.
func Run(ctx context.Context, c Config) error {
	s, err := Start(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var services sync.WaitGroup
	if c.Background != nil {
		services.Go(func() {
			if err := c.Background(ctx, s); err != nil {
				cancel(failure{err})
			}
		})
	}
	for i := range c.Services {
		service := &c.Services[i]
		l, err := s.Listen(ctx, service)
		if err != nil {
			cancel(failure{err})
			break
		}
		services.Go(func() {
			if err := s.Serve(ctx, l, service); err != nil {
				cancel(failure{fmt.Errorf("service %s: %w", service.Name, err)})
			}
		})
	}
	<-ctx.Done()
	services.Wait()
	if f, ok := context.Cause(ctx).(failure); ok {
		return f.error
	}
	return nil
}

// failure tells why Run ends by itself from why its caller ends it: the errors may
// be alike, such as a deadline's.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func logger(c Config) *slog.Logger {
	if c.Log != nil {
		return c.Log
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

// Start brings the board up: entropy, settings, Ethernet, clock, certificates, address,
// watchdog. Hosted, only settings and certificates are left. ctx bounds the start
// alone; Close ends what Start has started.
//
// Errors are ErrNoEntropy, a *SettingError, those of [certs.Load] for the store, and
// those of the board's devices and of [netstack.Open].
func Start(ctx context.Context, c Config) (*System, error) {
	s := &System{Log: logger(c)}
	getenv := c.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	if !hasEntropy() {
		return nil, ErrNoEntropy
	}
	hosted := board.Name == ""
	if !hosted {
		s.Log.Info("ingot on " + board.Name)
	}
	set, err := readSettings(getenv)
	if err != nil {
		return nil, err
	}
	if hosted {
		if err := s.loadCerts(&c, hosted); err != nil {
			return nil, err
		}
		s.Net = inet.Host()
		return s, nil
	}
	// The link, which takes seconds on a board, comes up while certificates are read.
	port, err := devices.Ethernet(devices.EthernetOptions{HardwareAddr: set.mac, Log: s.Log})
	if err != nil {
		return nil, fmt.Errorf("ethernet: %w", err)
	}
	if err := s.loadCerts(&c, hosted); err != nil {
		return nil, errors.Join(err, port.Close())
	}
	if err := s.openStack(ctx, port, set); err != nil {
		return nil, err
	}
	dog, err := devices.OpenWatchdog()
	if err == nil {
		err = s.startWatchdog(dog)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watchdog: %w", err), s.Close())
	}
	return s, nil
}

// loadCerts sets the clock, as far as that can be known now, and reads the store,
// whose validity is judged by it.
func (s *System) loadCerts(c *Config, hosted bool) error {
	fsys := c.Certs
	if fsys == nil {
		return errors.New("firmware: Config.Certs is missing: embed a certificate store (ingot certs init makes one)")
	}
	for _, dir := range []string{"certs/image", "certs"} {
		if _, err := fs.Stat(fsys, dir); err == nil {
			if fsys, err = fs.Sub(fsys, dir); err != nil {
				return err
			}
			break
		}
	}
	if !hosted {
		s.clock.log = s.Log
		source, err := startClock(time.Now(), s.clock.open(devices.OpenClock), buildFloor(), setClock)
		if err != nil {
			return err
		}
		s.Log.Info("time "+time.Now().UTC().Format(time.RFC3339), "source", source)
		s.timeSource = source
	}
	store, err := certs.Load(fsys, certs.Options{Bundles: c.Bundles, Rules: c.Rules, Keeper: c.Keeper})
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	for _, w := range store.Warnings() {
		s.Log.Warn("certificates: " + w.Error())
	}
	s.Certs = store
	return nil
}

// openStack brings up the network on a port, which is the stack's from then on.
func (s *System) openStack(ctx context.Context, port nic.Device, set settings) error {
	stack, err := netstack.Open(ctx, port, netstack.Config{
		Address: set.address, Gateway: set.gateway, Address6: set.address6, Gateway6: set.gateway6, DNS: set.dns, NTP: set.ntp, Hostname: set.hostname, NoIPv6: set.noIPv6,
		SetClock: s.clock.set, Floor: buildFloor(), Log: s.Log,
	})
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	s.stack, s.Net = stack, stack
	return nil
}

// Close gives the board's devices back. The watchdog can't be stopped: a board
// whose program ends here is reset by it.
func (s *System) Close() error {
	if s.guard != nil {
		s.guard()
	}
	defer s.clock.close()
	if s.stack != nil {
		return s.stack.Close()
	}
	return nil
}

// connectionMemory is the most that a connection was seen to hold, in bytes: one
// whose peer sends and never reads, with all buffers full.
const connectionMemory = 768 << 10

func maxConnections() int {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return 0
	}
	return int(max(limit/connectionMemory, 1))
}

// Listen opens a service's listener, for Serve; nil for a service that has none. ctx
// bounds the opening alone. What the service's options lack is the store's: see
// Service.TLS.
func (s *System) Listen(ctx context.Context, service *Service) (l net.Listener, err error) {
	transport := "TLS "
	if service.Plain {
		transport = "TCP "
	}
	switch {
	case service.Serve == nil && service.Run == nil:
		err = errors.New("Service.Serve is missing")
	case service.Open != nil:
		l, err = service.Open(ctx, s)
	case service.Listen == "" && service.Run != nil:
		return nil, nil
	case service.Plain:
		l, err = s.Net.Listen(ctx, "tcp", service.Listen)
	default:
		options := service.TLS
		if service.Prepare != nil {
			err = service.Prepare(s.Certs, &options)
		}
		if options.GetCertificate == nil && len(options.ServerCertificate) == 0 {
			options.GetCertificate = s.Certs.GetCertificate
		}
		if options.ClientAuth != tlsio.ClientAuthNone && !options.NamesRoots() {
			if err == nil && len(s.Certs.CRLs()) > 0 {
				err = ErrListsUnread
			}
			options.Roots = s.Certs.Roots("")
		}
		if options.MaxConnections == 0 {
			options.MaxConnections = maxConnections()
		}
		if options.HandshakeRate == (tlsio.HandshakeRate{}) {
			options.HandshakeRate = HandshakeRate()
		}
		if options.OnRefused == nil {
			options.OnRefused = newRefusals(s.Log, service.Name).refused
		}
		if err == nil {
			l, err = tlsio.Listen(ctx, s.Net, service.Listen, options)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", service.Name, err)
	}
	s.Log.Info("ready: " + transport + service.Name + " on " + s.reachable(l.Addr()))
	return l, nil
}

// reachable is addr with the address that others would use in place of "any".
func (s *System) reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil || s.stack == nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if lease := s.stack.Lease(); lease.Prefix.IsValid() {
			host = lease.Prefix.Addr().String()
		}
	}
	return net.JoinHostPort(host, port)
}

// Serve answers the connections of a listener, which is nil if Listen gave none, until
// ctx ends, and returns nil, or until the listener fails, and returns why. Either way it closes the listener and
// the connections, and waits for each service.Serve to return. A panic in one of
// them ends that connection only.
func (s *System) Serve(ctx context.Context, l net.Listener, service *Service) error {
	var conns sync.WaitGroup
	defer conns.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if l != nil {
		defer l.Close()
		defer context.AfterFunc(ctx, func() { l.Close() })()
	}
	if service.Run != nil {
		if err := service.Run(ctx, s, l); err != nil && ctx.Err() == nil {
			return err
		}
		return nil
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		conns.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			defer func() {
				if r := recover(); r != nil {
					s.Log.Error("connection ended by a panic", "service", service.Name, "remote", conn.RemoteAddr(), "panic", r, "stack", string(debug.Stack()))
				}
			}()
			service.Serve(ctx, conn)
		})
	}
}
