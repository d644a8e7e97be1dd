package ntp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"ingot.dev/net/sntp"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/internal/tlsiotest"
	"ingot.dev/tlsio/ntp"
	"ingot.dev/tlsio/resolver"
)

const limit = time.Minute

// serve answers on a free port of 127.0.0.1 with the time that now returns; nil is
// a server that never answers.
func serve(t *testing.T, now func() time.Time) string {
	t.Helper()
	return tlsiotest.Answer(t, func(query []byte) []byte {
		if len(query) != 48 || now == nil {
			return nil
		}
		p := make([]byte, 48)
		p[0], p[1] = 4<<3|4, 2 // version 4, server; stratum
		copy(p[24:], query[40:48])
		for _, at := range []int{32, 40} {
			ts := now()
			binary.BigEndian.PutUint32(p[at:], uint32(ts.Unix()+2208988800))
			binary.BigEndian.PutUint32(p[at+4:], uint32(uint64(ts.Nanosecond())<<32/1e9))
		}
		return p
	})
}

type answer struct {
	err error
	ms  int64
}

func get(t *testing.T, c *ntp.Client) answer {
	t.Helper()
	answers := make(chan answer, 1)
	if err := c.GetTime(func(err error, ms int64) { answers <- answer{err, ms} }); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-answers:
		return a
	case <-time.After(limit):
		t.Fatal("no callback")
		return answer{}
	}
}

func client(t *testing.T, app *tlsio.App, o ntp.Options) *ntp.Client {
	t.Helper()
	c, err := ntp.New(app, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// near reports whether ms is the time now, moved by d. The machine may be busy.
func near(ms int64, d time.Duration) bool {
	return time.UnixMilli(ms).Sub(time.Now().Add(d)).Abs() < 10*time.Second
}

//conform:ecma-419 NTP works tlsio/ntp.Client, tlsio/ntp.New
//conform:ecma-419 NTP.getTime works tlsio/ntp.Client.GetTime
//conform:ecma-419 NTP.servers works tlsio/ntp.Options.Servers
func TestGetTime(t *testing.T) {
	app := tlsiotest.Run(t, tlsiotest.Network(t))
	const ahead = 1000 * time.Hour
	right := serve(t, func() time.Time { return time.Now().Add(ahead) })
	old := serve(t, func() time.Time { return time.Unix(1e9, 0) })
	if a := get(t, client(t, app, ntp.Options{Servers: []string{right}})); a.err != nil || !near(a.ms, ahead) {
		t.Errorf("%+v", a)
	}
	// The first that can be believed counts.
	if a := get(t, client(t, app, ntp.Options{Servers: []string{old, right}})); a.err != nil || !near(a.ms, ahead) {
		t.Errorf("%+v", a)
	}
	a := get(t, client(t, app, ntp.Options{Servers: []string{old, old}}))
	if e, ok := errors.AsType[*tlsio.Error](a.err); !ok || e.Op != "GetTime" || !errors.Is(a.err, sntp.ErrBelowFloor) || a.ms != 0 {
		t.Errorf("%+v", a)
	}
	// A Floor of one's own.
	c := client(t, app, ntp.Options{Servers: []string{old}, Floor: time.Unix(9e8, 0)})
	if a := get(t, c); a.err != nil || time.UnixMilli(a.ms).Sub(time.Unix(1e9, 0)).Abs() > 10*time.Second {
		t.Errorf("%+v", a)
	}
	if a := get(t, c); a.err != nil { // again
		t.Errorf("%+v", a)
	}
}

//conform:ecma-419 NTP.dns works tlsio/ntp.Options.DNS
func TestNames(t *testing.T) {
	app := tlsiotest.Run(t, tlsiotest.Network(t))
	server := serve(t, time.Now)
	_, port, _ := net.SplitHostPort(server)
	dns, err := resolver.New(app, resolver.Options{Servers: []string{tlsiotest.Zone{"time.test": "127.0.0.1"}.Serve(t, nil)}})
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	c := client(t, app, ntp.Options{Servers: []string{"none.test:" + port, "time.test:" + port}, DNS: dns})
	if a := get(t, c); a.err != nil || !near(a.ms, 0) {
		t.Errorf("%+v", a)
	}
	c = client(t, app, ntp.Options{Servers: []string{"none.test"}, DNS: dns})
	a := get(t, c)
	if _, ok := errors.AsType[*net.DNSError](a.err); !ok {
		t.Errorf("%+v", a)
	}
}

//conform:ecma-419 NTP.busy works tlsio/ntp.ErrBusy
//conform:ecma-419 NTP.close works tlsio/ntp.Client.Close
func TestBusyAndClose(t *testing.T) {
	app := tlsiotest.Run(t, tlsiotest.Network(t))
	c := client(t, app, ntp.Options{Servers: []string{serve(t, nil)}})
	callback := func(err error, ms int64) { t.Errorf("callback(%v, %d)", err, ms) }
	if err := c.GetTime(nil); err == nil {
		t.Error("no callback, and no error")
	}
	if err := c.GetTime(callback); err != nil {
		t.Fatal(err)
	}
	if err := c.GetTime(callback); !errors.Is(err, ntp.ErrBusy) {
		t.Errorf("second GetTime: %v", err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := c.GetTime(callback); !errors.Is(err, tlsio.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := app.Wait(ctx); err != nil {
		t.Errorf("something is still under way: %v", err)
	}
}

func TestOptions(t *testing.T) {
	_, err := ntp.New(nil, ntp.Options{})
	for _, option := range []string{"option app", "option Servers"} {
		if err == nil || !strings.Contains(err.Error(), option) {
			t.Errorf("%v doesn't name %s", err, option)
		}
	}
	app := tlsio.NewApp(tlsio.HostNetwork{})
	for _, bad := range []string{"", "192.0.2.1:0", "192.0.2.1:70000", "time.test"} {
		_, err := ntp.New(app, ntp.Options{Servers: []string{"192.0.2.1", "2001:db8::1", "[2001:db8::1]:123", bad}})
		if e, ok := errors.AsType[*tlsio.OptionError](err); !ok || e.Option != "Servers[3]" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
