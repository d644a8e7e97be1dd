package resolver_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/tlsio"
	"ingot.dev/tlsio/internal/tlsiotest"
	"ingot.dev/tlsio/resolver"
)

const limit = time.Minute

type answer struct {
	err           error
	address, host string
}

func newResolver(t *testing.T, app *tlsio.App, servers ...string) *resolver.Resolver {
	t.Helper()
	r, err := resolver.New(app, resolver.Options{Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func get(t *testing.T, answers chan answer) answer {
	t.Helper()
	select {
	case a := <-answers:
		return a
	case <-time.After(limit):
		t.Fatal("no callback")
		return answer{}
	}
}

//conform:ecma-419 DNS works tlsio/resolver.Resolver, tlsio/resolver.New
//conform:ecma-419 DNS.resolve works tlsio/resolver.Resolver.Resolve
//conform:ecma-419 DNS.literal works tlsio/resolver.Resolver.Resolve
func TestResolve(t *testing.T) {
	app := tlsiotest.Run(t, tlsiotest.Network(t))
	var asked atomic.Int32
	r := newResolver(t, app, tlsiotest.Zone{"four.test": "192.0.2.1,192.0.2.2", "six.test": "2001:db8::1", "both.test": "2001:db8::2,192.0.2.3", "bad.test": "refuse"}.Serve(t, &asked))
	answers := make(chan answer, 10)
	callback := func(err error, address, host string) { answers <- answer{err, address, host} }

	// Several at once; each says which it is.
	want := map[string]string{"four.test": "192.0.2.1", "six.test": "2001:0db8:0000:0000:0000:0000:0000:0001", "both.test": "192.0.2.3"}
	called := make(chan struct{})
	app.Post(func() {
		defer close(called)
		for host := range want {
			if err := r.Resolve(host, callback); err != nil {
				t.Error(err)
			}
		}
		if len(answers) != 0 {
			t.Error("a callback from inside Resolve")
		}
	})
	<-called
	for range 3 {
		a := get(t, answers)
		if a.err != nil || want[a.host] == "" || a.address != want[a.host] {
			t.Errorf("%+v", a)
		}
		delete(want, a.host)
	}

	// Addresses are answered as themselves, and nobody is asked.
	before := asked.Load()
	for literal, want := range map[string]string{"192.0.2.9": "192.0.2.9", "2001:db8::9": "2001:0db8:0000:0000:0000:0000:0000:0009"} {
		if err := r.Resolve(literal, callback); err != nil {
			t.Fatal(err)
		}
		if a := get(t, answers); a.err != nil || a.address != want || a.host != literal {
			t.Errorf("%+v", a)
		}
	}
	if asked.Load() != before {
		t.Error("a server was asked for an address")
	}

	for host, notFound := range map[string]bool{"none.test": true, "bad.test": false, "not a name": true} {
		if err := r.Resolve(host, callback); err != nil {
			t.Fatal(err)
		}
		a := get(t, answers)
		e, ok := errors.AsType[*tlsio.Error](a.err)
		d, ok2 := errors.AsType[*net.DNSError](a.err)
		if !ok || !ok2 || e.Stage != tlsio.StageResolve || e.Addr != host || d.IsNotFound != notFound || a.address != "" {
			t.Errorf("%s: %+v", host, a)
		}
	}
}

//conform:ecma-419 DNS.servers works tlsio/resolver.Options.Servers
func TestServersInTurn(t *testing.T) {
	app := tlsiotest.Run(t, tlsiotest.Network(t))
	var first, third atomic.Int32
	r := newResolver(t, app,
		tlsiotest.Zone{"a.test": "refuse"}.Serve(t, &first), // knows that b.test doesn't exist
		tlsiotest.Zone{"a.test": "192.0.2.1"}.Serve(t, nil),
		tlsiotest.Zone{"a.test": "192.0.2.2"}.Serve(t, &third))
	addr, err := r.Lookup(t.Context(), "a.test")
	if err != nil || addr.String() != "192.0.2.1" {
		t.Errorf("%v, %v", addr, err)
	}
	// A name that doesn't exist isn't asked for elsewhere.
	if _, err := r.Lookup(t.Context(), "b.test"); err == nil {
		t.Error("resolved")
	}
	if first.Load() == 0 || third.Load() != 0 {
		t.Errorf("asked the first %d times, the third %d", first.Load(), third.Load())
	}
}

func TestOptions(t *testing.T) {
	_, err := resolver.New(nil, resolver.Options{})
	for _, option := range []string{"option app", "option Servers"} {
		if err == nil || !strings.Contains(err.Error(), option) {
			t.Errorf("%v doesn't name %s", err, option)
		}
	}
	app := tlsio.NewApp(tlsio.HostNetwork{})
	for _, bad := range []string{"", "name", "192.0.2.1:0", "192.0.2.1:x", "[::1]", "2001:db8::1:53:x"} {
		_, err := resolver.New(app, resolver.Options{Servers: []string{"192.0.2.1", bad}})
		if e, ok := errors.AsType[*tlsio.OptionError](err); !ok || e.Option != "Servers[1]" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:53"} {
		r, err := resolver.New(app, resolver.Options{Servers: []string{good}})
		if err != nil {
			t.Errorf("%q: %v", good, err)
			continue
		}
		if err := r.Resolve("x", nil); err == nil {
			t.Error("no callback, and no error")
		}
		r.Close()
	}
}

//conform:ecma-419 DNS.close works tlsio/resolver.Resolver.Close
func TestClose(t *testing.T) {
	app := tlsiotest.Run(t, tlsiotest.Network(t))
	r := newResolver(t, app, tlsiotest.Zone{"slow.test": "silent"}.Serve(t, nil))
	callback := func(err error, address, host string) { t.Errorf("callback(%v, %s, %s)", err, address, host) }
	for range resolver.MaxPending {
		if err := r.Resolve("slow.test", callback); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Resolve("slow.test", callback); !errors.Is(err, resolver.ErrTooMany) {
		t.Errorf("more than MaxPending: %v", err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := r.Resolve("slow.test", callback); !errors.Is(err, tlsio.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := r.Lookup(t.Context(), "slow.test"); !errors.Is(err, tlsio.ErrClosed) {
		t.Errorf("Lookup after Close: %v", err)
	}
	// All that was under way ends, without a callback.
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := app.Wait(ctx); err != nil {
		t.Errorf("something is still under way: %v", err)
	}
}

// TestDoH: what resolves over HTTPS is not there, and options for it can't be given.
// A server named by URL is refused with what would be accepted.
//
//conform:ecma-419 DNS.doh refused tlsio/resolver.Options -- no resolver over HTTPS: Servers that are URLs are refused
func TestDoH(t *testing.T) {
	_, err := resolver.New(tlsio.NewApp(tlsio.HostNetwork{}), resolver.Options{Servers: []string{"https://dns.example/dns-query"}})
	if e, ok := errors.AsType[*tlsio.OptionError](err); !ok || e.Option != "Servers[0]" || !strings.Contains(e.Fix, "IP address") {
		t.Errorf("%v", err)
	}
}
