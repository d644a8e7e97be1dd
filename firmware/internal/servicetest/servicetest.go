package servicetest

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/tally"
	"ingot.dev/net/inet"
	"ingot.dev/tlsio"
)

// Patience is how long a test waits for what has to come.
const Patience = time.Minute

// A Log collects lines, and lets a test wait for one.
type Log struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote chan struct{} // closed at the next line
}

// NewLog makes a Log.
func NewLog() *Log { return &Log{wrote: make(chan struct{})} }

// Write implements io.Writer.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	close(l.wrote)
	l.wrote = make(chan struct{})
	return len(b), nil
}

// String returns all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Wait returns the first match of an expression and its groups.
func (l *Log) Wait(t testing.TB, expr string) []string {
	t.Helper()
	re := regexp.MustCompile(expr)
	limit := time.After(Patience)
	for {
		l.mu.Lock()
		text, wrote := l.text.String(), l.wrote
		l.mu.Unlock()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-wrote:
		case <-limit:
			t.Fatalf("no %q in the log:\n%s", expr, text)
		}
	}
}

// A Rig is a system with a certificate store, whose authority is CA in the group "".
type Rig struct {
	CA     *certstest.CA
	Tree   certstest.Tree // add to it before System
	Net    inet.Network   // nil for the host's
	Log    *Log
	system *firmware.System
}

// New makes a rig with an identity "default" for localhost and 127.0.0.1, and one
// "client" for clients.
func New(t testing.TB) *Rig {
	r := &Rig{CA: certstest.NewCA(t, certstest.Template{}), Tree: certstest.Tree{}, Log: NewLog()}
	r.Tree.AddAnchor("", r.CA)
	r.Tree.AddIdentity("default", r.CA.Issue(certstest.Template{
		Names: []string{"localhost"}, IPs: []string{"127.0.0.1", "10.0.2.2", "10.0.2.15"}}))
	r.Tree.AddIdentity("client", r.CA.Issue(certstest.Template{CommonName: "relay", Client: true}))
	return r
}

// System returns the system, made at the first call.
func (r *Rig) System(t testing.TB) *firmware.System {
	t.Helper()
	if r.system == nil {
		store, err := certs.Load(r.Tree.FS(), certs.Options{Rules: certs.Rules()})
		if err != nil {
			t.Fatal(err)
		}
		n := r.Net
		if n == nil {
			n = inet.Host()
		}
		r.system = &firmware.System{Net: n, Certs: store, Log: slog.New(slog.NewTextHandler(r.Log, nil))}
	}
	return r.system
}

// Serve runs a service until the test ends, and returns its address. stop ends it
// before, and returns when everything of it has ended.
func (r *Rig) Serve(t testing.TB, service firmware.Service) (addr string, stop func()) {
	t.Helper()
	s := r.System(t)
	ctx, cancel := context.WithCancel(context.Background())
	l, err := s.Listen(ctx, &service)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l, &service) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("service %s: %v", service.Name, err)
			}
		case <-time.After(Patience):
			t.Errorf("service %s doesn't end", service.Name)
		}
	})
	t.Cleanup(stop)
	if l != nil {
		addr = l.Addr().String()
	}
	return addr, stop
}

// WaitTally waits until f says so of the tally of a service that runs on s.
func WaitTally(t testing.TB, s *firmware.System, f func(*tally.Tally) bool) {
	t.Helper()
	limit := time.Now().Add(Patience)
	for {
		for _, part := range firmware.Parts(s) {
			if e, ok := part.(*endpoint.Endpoint); ok && f(&e.Tally) {
				return
			}
		}
		if time.Now().After(limit) {
			for _, part := range firmware.Parts(s) {
				t.Logf("%+v", part)
			}
			t.Fatal("the tally never said so")
		}
		time.Sleep(time.Millisecond)
	}
}

// Wants checks that an error is about these options, whatever their order, and no other.
func Wants(t testing.TB, err error, options ...string) {
	t.Helper()
	e, ok := errors.AsType[*tlsio.Error](err)
	if !ok || e.Stage != tlsio.StageOptions {
		t.Fatalf("%v, not about options", err)
	}
	var got []string
	for _, part := range e.Err.(interface{ Unwrap() []error }).Unwrap() {
		o, ok := part.(*tlsio.OptionError)
		if !ok || o.Fix == "" {
			t.Errorf("%v, not one option with its fix", part)
			continue
		}
		got = append(got, o.Option)
	}
	slices.Sort(got)
	slices.Sort(options)
	if !slices.Equal(got, options) {
		t.Errorf("wrong are %q, not %q", got, options)
	}
}
