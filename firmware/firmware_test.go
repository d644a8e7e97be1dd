package firmware

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ingot.dev/board/devices"
	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

func TestStartClock(t *testing.T) {
	at := func(sec int64) time.Time { return time.Unix(sec, 0) }
	for _, c := range []struct {
		name              string
		now, board, floor time.Time
		set               time.Time // zero if it is left alone
		source            string
	}{
		{"the loader's is later", at(200), time.Time{}, at(100), time.Time{}, "boot loader"},
		{"both the same", at(100), time.Time{}, at(100), time.Time{}, "boot loader"},
		{"no loader's", at(0), time.Time{}, at(100), at(100), "build"},
		{"no build's", at(5), time.Time{}, time.Time{}, time.Time{}, "boot loader"},
		{"the board's is later", at(0), at(300), at(100), at(300), "board's clock"},
		{"the loader's is later than the board's", at(400), at(300), at(100), time.Time{}, "boot loader"},
		{"the board's was wrong", at(0), at(50), at(100), at(100), "build"},
	} {
		var set time.Time
		source, err := startClock(c.now, c.board, c.floor, func(now time.Time) error { set = now; return nil })
		if err != nil || !set.Equal(c.set) || !strings.Contains(source, c.source) {
			t.Errorf("%s: set to %v, source %q, %v", c.name, set, source, err)
		}
	}
	cause := errors.New("no clock")
	if _, err := startClock(at(0), time.Time{}, at(1), func(time.Time) error { return cause }); !errors.Is(err, cause) {
		t.Errorf("a clock that can't be set: %v", err)
	}
	for in, want := range map[string]int64{"": 0, "1700000000": 1700000000, "-1": 0, "x": 0, "99999999999999999999": 0} {
		if got := parseSeconds(in); got != want {
			t.Errorf("parseSeconds(%q) = %d, want %d", in, got, want)
		}
	}
}

// A fakeClock is a board's.
type fakeClock struct {
	now    time.Time
	err    error // of Now and Set
	set    []time.Time
	closed int
}

func (c *fakeClock) Now() (time.Time, error) { return c.now, c.err }
func (c *fakeClock) Set(t time.Time) error   { c.set = append(c.set, t); return c.err }
func (c *fakeClock) Close() error            { c.closed++; return nil }

func TestBoardClock(t *testing.T) {
	at := time.Unix(1e9, 0)
	keeper := func(c *fakeClock, err error) (*boardClock, time.Time) {
		b := &boardClock{log: slog.New(slog.DiscardHandler)}
		return b, b.open(func() (devices.Clock, error) {
			if err != nil {
				return nil, err
			}
			return c, nil
		})
	}
	good := &fakeClock{now: at}
	b, now := keeper(good, nil)
	b.keep(at.Add(time.Hour))
	b.keep(at.Add(2 * time.Hour))
	b.close()
	b.keep(at)
	b.close()
	if !now.Equal(at) || len(good.set) != 2 || !good.set[1].Equal(at.Add(2*time.Hour)) || good.closed != 1 {
		t.Errorf("a good clock says %v, and is set to %v, closed %d times", now, good.set, good.closed)
	}
	bad := &fakeClock{err: errors.New("stuck")}
	b, now = keeper(bad, nil)
	b.keep(at)
	b.keep(at)
	if !now.IsZero() || len(bad.set) != 1 || bad.closed != 1 {
		t.Errorf("a bad clock says %v, and is set to %v, closed %d times", now, bad.set, bad.closed)
	}
	if b, now = keeper(nil, devices.ErrHosted); !now.IsZero() || b.clock != nil {
		t.Errorf("no clock says %v", now)
	}
	b.keep(at)
}

func TestReadSettings(t *testing.T) {
	env := map[string]string{
		"INGOT_ADDR": "10.0.2.15/24", "INGOT_GATEWAY": "10.0.2.2", "INGOT_DNS": "10.0.2.3, fec0::3",
		"INGOT_NTP": "a.example,10.0.2.2", "INGOT_HOSTNAME": "board", "INGOT_MAC": "02:00:00:12:34:56", "INGOT_IPV6": "off",
		"INGOT_ADDR6": "2001:db8::15/64", "INGOT_GATEWAY6": "fe80::1",
	}
	s, err := readSettings(func(name string) string { return env[name] })
	if err != nil || s.address.String() != "10.0.2.15/24" || s.gateway.String() != "10.0.2.2" ||
		s.address6.String() != "2001:db8::15/64" || s.gateway6.String() != "fe80::1" || len(s.dns) != 2 ||
		len(s.ntp) != 2 || s.hostname != "board" || !s.noIPv6 || s.mac.String() != "02:00:00:12:34:56" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range [][2]string{
		{"INGOT_ADDR", "10.0.2.15"}, {"INGOT_ADDR", "fec0::15/64"}, {"INGOT_GATEWAY", "router"}, {"INGOT_GATEWAY", "fec0::2"},
		{"INGOT_ADDR6", "2001:db8::15"}, {"INGOT_GATEWAY6", "router"},
		{"INGOT_DNS", "10.0.2.3,dns"}, {"INGOT_MAC", "01:00:5e:00:00:01"}, {"INGOT_MAC", "02:00:00:00:00:00:00:01"},
		{"INGOT_IPV6", "false"},
	} {
		name, value := bad[0], bad[1]
		_, err := readSettings(func(n string) string {
			if n == name {
				return value
			}
			return ""
		})
		var bad *SettingError
		if !errors.As(err, &bad) || errors.Unwrap(err) == nil || bad.Name != name || !strings.Contains(err.Error(), value) || bad.Fix == "" {
			t.Errorf("%s=%s: %v; want name, value and what to give", name, value, err)
		}
	}
}

// TestDefaults: what is compiled in holds where the environment says nothing.
func TestDefaults(t *testing.T) {
	compiled := map[string]string{
		"INGOT_ADDR": "192.168.1.20/24", "INGOT_GATEWAY": "192.168.1.1", "INGOT_HOSTNAME": "compiled", "INGOT_IPV6": "off",
		"INGOT_ADDR6": "2001:db8::20/64", "INGOT_GATEWAY6": "2001:db8::1",
	}
	for _, tt := range []struct {
		what string
		env  map[string]string
		want string // address, gateway, name, whether there is IPv6
	}{
		{"nothing", nil, "192.168.1.20/24 192.168.1.1 compiled false 2001:db8::20/64 2001:db8::1"},
		{"a name", map[string]string{"INGOT_HOSTNAME": "told"}, "192.168.1.20/24 192.168.1.1 told false 2001:db8::20/64 2001:db8::1"},
		{"an address", map[string]string{"INGOT_ADDR": "10.0.2.15/24"}, "10.0.2.15/24 invalid IP compiled false 2001:db8::20/64 2001:db8::1"},
		{"an address and its router", map[string]string{"INGOT_ADDR": "10.0.2.15/24", "INGOT_GATEWAY": "10.0.2.2"}, "10.0.2.15/24 10.0.2.2 compiled false 2001:db8::20/64 2001:db8::1"},
		{"DHCP", map[string]string{"INGOT_ADDR": "dhcp"}, "invalid Prefix invalid IP compiled false 2001:db8::20/64 2001:db8::1"},
		{"IPv6", map[string]string{"INGOT_IPV6": "on"}, "192.168.1.20/24 192.168.1.1 compiled true 2001:db8::20/64 2001:db8::1"},
		{"an IPv6 address", map[string]string{"INGOT_ADDR6": "2001:db8:1::2/64"}, "192.168.1.20/24 192.168.1.1 compiled false 2001:db8:1::2/64 invalid IP"},
		{"none", map[string]string{"INGOT_ADDR6": "auto"}, "192.168.1.20/24 192.168.1.1 compiled false invalid Prefix invalid IP"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			for name := range compiled {
				t.Setenv(name, tt.env[name])
			}
			s, err := readSettings(Defaults(compiled))
			if got := fmt.Sprint(s.address, " ", s.gateway, " ", s.hostname, " ", !s.noIPv6, " ", s.address6, " ", s.gateway6); err != nil || got != tt.want {
				t.Errorf("the settings are %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

// store returns a store's file system with root in front of it, as go:embed would.
func store(t *testing.T, root string, template certstest.Template) (fs.FS, *certstest.CA) {
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddIdentity("default", ca.Issue(template))
	dir := t.TempDir()
	tree.WriteDir(t, filepath.Join(dir, root))
	return os.DirFS(dir), ca
}

func TestStartRefuses(t *testing.T) {
	testenv.NeedHost(t)
	good := certstest.Template{Names: []string{"localhost"}}
	quiet := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		template certstest.Template
		want     error
	}{{good.Expired(), certs.ErrExpired}, {good.NotYetValid(), certs.ErrNotYetValid}} {
		fsys, _ := store(t, ".", c.template)
		if _, err := Start(t.Context(), Config{Certs: fsys, Log: quiet}); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "identities/default/cert.der") {
			t.Errorf("%v; want %v with the file", err, c.want)
		}
	}
	if _, err := Start(t.Context(), Config{Log: quiet}); err == nil || !strings.Contains(err.Error(), "Config.Certs") {
		t.Errorf("no store: %v", err)
	}
	fsys, _ := store(t, ".", good)
	bad := []Service{{Name: "bad", Listen: "127.0.0.1:0", TLS: tlsio.TLSOptions{ClientAuth: "maybe"}, Serve: Echo}}
	if err := Run(t.Context(), Config{Certs: fsys, Log: quiet, Services: bad}); err == nil || !strings.Contains(err.Error(), "service bad") {
		t.Errorf("a service that can't start: %v", err)
	}
}

// TestRunHosted: the same firmware without a board, wherever go:embed leaves the
// store; a service that panics ends its connection only.
func TestRunHosted(t *testing.T) {
	testenv.NeedHost(t)
	for _, root := range []string{".", "certs", "certs/image"} {
		t.Run(root, func(t *testing.T) {
			fsys, ca := store(t, root, certstest.Template{Names: []string{"localhost"}})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			console, w := io.Pipe()
			panics := func(_ context.Context, c net.Conn) {
				if b := make([]byte, 1); must(c.Read(b)) == 1 && b[0] == '!' {
					panic("on purpose")
				}
				c.Write([]byte("fine"))
			}
			done := make(chan error, 1)
			go func() {
				done <- Run(ctx, Config{
					Certs: fsys, Log: slog.New(slog.NewTextHandler(w, nil)), Getenv: func(string) string { return "" },
					Services: []Service{{Name: "echo", Listen: "127.0.0.1:0", Serve: Echo}, {Name: "panics", Listen: "127.0.0.1:0", Serve: panics}},
				})
				w.Close()
			}()
			ready := regexp.MustCompile(`ready: TLS (\w+) on ([0-9.:]+)`)
			addr := map[string]string{}
			lines := bufio.NewScanner(console)
			for len(addr) < 2 && lines.Scan() {
				if m := ready.FindStringSubmatch(lines.Text()); m != nil {
					addr[m[1]] = m[2]
				}
			}
			go io.Copy(io.Discard, console)
			if len(addr) < 2 {
				t.Fatalf("services %v, %v", addr, <-done)
			}
			exchange := func(service, text string) string {
				c, err := tls.Dial("tcp", addr[service], &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				io.WriteString(c, text)
				c.CloseWrite()
				b, err := io.ReadAll(c)
				if err != nil {
					t.Errorf("%s: %v", service, err)
				}
				return string(bytes.TrimSpace(b))
			}
			if got := exchange("echo", "hello"); got != "hello" {
				t.Errorf("echo: %q", got)
			}
			if got := exchange("panics", "!"); got != "" {
				t.Errorf("after a panic: %q", got)
			}
			if got := exchange("panics", "?"); got != "fine" {
				t.Errorf("after another's panic: %q", got)
			}
			stop()
			if err := <-done; err != nil {
				t.Errorf("Run ended with %v", err)
			}
		})
	}
}

// must returns n, whatever the error.
func must(n int, _ error) int { return n }
