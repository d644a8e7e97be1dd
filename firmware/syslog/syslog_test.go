package syslog

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ingot.dev/certs/certstest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
)

// collector takes what is sent to it, as RFC 5425 has it.
type collector struct {
	addr     string
	l        net.Listener
	messages chan string
	conns    chan net.Conn
}

func collect(t *testing.T, ca *certstest.CA, address string) *collector {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{ca.Issue(certstest.Template{Names: []string{"localhost"}}).TLS()}})
	c := &collector{l.Addr().String(), l, make(chan string, 10_000), make(chan net.Conn, 100)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.conns <- conn
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					m, err := readFrame(in)
					if err != nil {
						if err != io.EOF && !errors.Is(err, net.ErrClosed) {
							c.messages <- "bad: " + err.Error()
						}
						return
					}
					c.messages <- m
				}
			}()
		}
	}()
	return c
}

// to is the address by the name in the certificate.
func (c *collector) to() string {
	_, port, _ := net.SplitHostPort(c.addr)
	return "localhost:" + port
}

func (c *collector) next(t *testing.T) string {
	t.Helper()
	select {
	case m := <-c.messages:
		return m
	case <-time.After(servicetest.Patience):
		t.Fatal("nothing came")
		return ""
	}
}

func readFrame(in *bufio.Reader) (string, error) {
	count, err := in.ReadString(' ')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(count, " "))
	if err != nil || n <= 0 || count[0] == '0' {
		return "", fmt.Errorf("count %q", count)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(in, b)
	return string(b), err
}

// rfc5424 is the grammar of a message, as far as we use it.
var rfc5424 = regexp.MustCompile(`^<(\d{1,3})>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) ([!-~]{1,48}) - - ` +
	`(-|\[ingot@32473( [!#-<>-\\^-~]{1,32}="([^"\\\]]|\\["\\\]])*")+\])( [^\x00-\x1f\x7f]*)?$`)

func TestSends(t *testing.T) {
	r := servicetest.New(t)
	c := collect(t, r.CA, "127.0.0.1:0")
	console := servicetest.NewLog()
	h, err := New(Options{To: c.to(), Console: slog.NewTextHandler(console, nil), Hostname: "device", App: "test", Level: slog.LevelDebug, Facility: Local3})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(h)
	log.Info("before there is a network") // is sent too
	r.Serve(t, h.Service())
	if m := c.next(t); !strings.HasSuffix(m, " device test - - - before there is a network") || !strings.HasPrefix(m, "<158>1 20") {
		t.Errorf("%q", m)
	}
	log.With("service", "echo").WithGroup("g").Warn("two\nlines\x1b", "a b", `q"u]o\te`, slog.Group("in", "n", 5))
	if m := c.next(t); !strings.HasSuffix(m, ` device test - - [ingot@32473 service="echo" g.a_b="q\"u\]o\\te" g.in.n="5"] two lines`+"\ufffd") || !strings.HasPrefix(m, "<156>1 ") {
		t.Errorf("%q", m)
	}
	log.Error("bad")
	log.Debug("detail")
	for _, want := range []string{"<155>1 ", "<159>1 "} {
		if m := c.next(t); !strings.HasPrefix(m, want) || !rfc5424.MatchString(m) {
			t.Errorf("%q", m)
		}
	}
	console.Wait(t, `level=ERROR msg=bad`)
	if strings.Contains(console.String(), "detail") {
		t.Error("the console has a level of its own")
	}
	// It counts what was written, which the collector may see before.
	for limit := time.Now().Add(servicetest.Patience); h.Stats() != (Stats{Sent: 4}); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%+v", h.Stats())
		}
	}
}

// TestCollectorRestarts: what is logged while the collector is away comes later, in order;
// what doesn't fit is counted.
func TestCollectorRestarts(t *testing.T) {
	r := servicetest.New(t)
	c := collect(t, r.CA, "127.9.8.7:0") // nobody connects from there, and takes the port
	console := servicetest.NewLog()
	h, err := New(Options{To: c.addr, Host: "localhost", Console: slog.NewTextHandler(console, nil), MaxQueue: 10})
	if err != nil {
		t.Fatal(err)
	}
	h.pause = 20 * time.Millisecond
	log := slog.New(h)
	r.Serve(t, h.Service())
	log.Info("first")
	c.next(t)
	c.l.Close()
	endpoint.Reset(<-c.conns)
	console.Wait(t, `msg="the log collector can't be reached"`) // once
	for i := range 100 {
		log.Info("while away", "n", i)
	}
	// One may be with the service, which tries to send it.
	if s := h.Stats(); s.Queued > 11 || s.Dropped < 80 {
		t.Errorf("%+v", s)
	}
	again := collect(t, r.CA, c.addr)
	accounted, last := 0, -1
	for accounted < 100 {
		m := again.next(t)
		if d := regexp.MustCompile(`\[ingot@32473 dropped="(\d+)"\] (\d+) records were dropped`).FindStringSubmatch(m); d != nil {
			n, _ := strconv.Atoi(d[1])
			if n == 0 || d[1] != d[2] {
				t.Fatalf("%q", m)
			}
			accounted += n
			continue
		}
		d := regexp.MustCompile(`n="(\d+)"\] while away$`).FindStringSubmatch(m)
		if d == nil {
			t.Fatalf("%q", m)
		}
		n, _ := strconv.Atoi(d[1])
		if n <= last {
			t.Errorf("%d came after %d", n, last)
		}
		last = n
		accounted++
	}
	if accounted != 100 {
		t.Errorf("100 records were logged; %d came or were said to be dropped", accounted)
	}
	log.Info("and again")
	if m := again.next(t); !strings.HasSuffix(m, "and again") {
		t.Errorf("%q", m)
	}
	if n := strings.Count(console.String(), "can't be reached"); n != 1 {
		t.Errorf("the console heard of it %d times", n)
	}
}

// TestNeverWaits: a collector that takes nothing, or is a stranger, holds nobody up.
func TestNeverWaits(t *testing.T) {
	r := servicetest.New(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stranger := collect(t, certstest.NewCA(t, certstest.Template{}), "127.0.0.1:0")
	for _, to := range []string{l.Addr().String(), stranger.to()} {
		h, err := New(Options{To: to, MaxMemory: 20_000})
		if err != nil {
			t.Fatal(err)
		}
		_, stop := r.Serve(t, h.Service())
		for range 10_000 {
			slog.New(h).Info(strings.Repeat("x", 500))
		}
		if s := h.Stats(); s.Dropped < 9900 || s.Sent > 0 {
			t.Errorf("%+v", s)
		}
		stop()
	}
	if len(stranger.messages) > 0 && !strings.HasPrefix(<-stranger.messages, "bad: ") {
		t.Error("a stranger was sent the log")
	}
}

func TestOptions(t *testing.T) {
	_, err := New(Options{To: ":6514", Host: "a b", MinimumVersion: "x", Facility: 24, Hostname: "a b", App: strings.Repeat("x", 49), MaxQueue: -1, MaxMessage: 100, MaxMemory: 50, Timeout: -3})
	servicetest.Wants(t, err, "To", "Host", "MinimumVersion", "Facility", "Hostname", "App", "MaxQueue", "MaxMessage", "MaxMemory", "Timeout")
	r := servicetest.New(t)
	for _, o := range []Options{{To: "localhost:1", Group: "nobody"}, {To: "localhost:1", Present: "nobody"}} {
		h, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Service().Run(context.Background(), r.System(t), nil); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// TestSlog: groups and attributes are where the console has them.
func TestSlog(t *testing.T) {
	h, err := New(Options{To: "x:1"})
	if err != nil {
		t.Fatal(err)
	}
	if h.Enabled(t.Context(), slog.LevelDebug) || !h.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("the level isn't Info")
	}
	log := slog.New(h)
	a := log.With("a", 1)
	a.With("b", 2).Info("x")
	a.With("c", 3).WithGroup("").Info("x", slog.Attr{}, slog.Group("", "d", 4))
	for _, want := range []string{`[ingot@32473 a="1" b="2"] x`, `[ingot@32473 a="1" c="3" d="4"] x`} {
		if m, _ := h.next(); !strings.HasSuffix(string(m), want) {
			t.Errorf("%q, want %q", m, want)
		}
	}
}

// FuzzFormat: whatever is logged, what is sent is a message of RFC 5424, of no more than
// the limit, in UTF-8.
func FuzzFormat(f *testing.F) {
	f.Add("text", "name", "value", 480)
	f.Add("\x00\xff\u0085", "]=\"", "\\]\"\n\xff", 500)
	f.Add(strings.Repeat("ä", 400), "", strings.Repeat("]", 200), 481)
	f.Fuzz(func(t *testing.T, text, key, value string, limit int) {
		limit = 480 + limit&0xfff
		m := format(Local0, time.Unix(1, 2000), slog.LevelInfo, "host", "app", appendParam(nil, key, value), text, limit)
		if len(m) > limit || !utf8.Valid(m) || !rfc5424.Match(m) {
			t.Errorf("%d bytes of %d: %q", len(m), limit, m)
		}
		got, err := readFrame(bufio.NewReader(strings.NewReader(string(frame(m)))))
		if err != nil || got != string(m) {
			t.Errorf("%q, %v", got, err)
		}
	})
}
