package jsonmsg

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestAttemptKey(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:1":                  "192.0.2.1",
		"[::ffff:192.0.2.1]:9":         "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1":     "2001:db8:1:2::",
		"[2001:db8:1:2:ffff::1]:65535": "2001:db8:1:2::",
		"[fe80::1%eth0]:1":             "fe80::",
	} {
		if got := attemptKey(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))); got.String() != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if got := attemptKey(&net.UnixAddr{Name: "x"}); got.IsValid() {
		t.Errorf("unix: %s", got)
	}
}

func TestAttempts(t *testing.T) {
	now := time.Unix(1000, 0)
	a := &attempts{max: 3, window: time.Minute, size: 2, now: func() time.Time { return now }}
	x, y, z := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	judge := func(addr netip.Addr, right bool) bool {
		t.Helper()
		attempted, ok := a.judge(addr, func() bool { return right })
		if ok != (attempted && right) {
			t.Errorf("attempted %v, right %v: judged %v", attempted, right, ok)
		}
		return attempted
	}
	wrong := func(addr netip.Addr) bool { return judge(addr, false) }
	refused := func(addr netip.Addr, wantNews bool) bool {
		t.Helper()
		if news := a.news(addr); news != wantNews {
			t.Errorf("news %v, want %v", news, wantNews)
		}
		return a.refused(addr)
	}
	for range 3 {
		if refused(x, false) {
			t.Fatal("refused before three failures")
		}
		if !wrong(x) {
			t.Fatal("no attempt left before three failures")
		}
	}
	if wrong(x) {
		t.Error("a fourth attempt")
	}
	if !refused(x, true) || !refused(x, false) {
		t.Error("not refused after three failures")
	}
	if refused(y, false) {
		t.Error("another address is refused")
	}
	now = now.Add(59 * time.Second)
	if !refused(x, false) {
		t.Error("not refused within the window")
	}
	now = now.Add(2 * time.Second)
	if refused(x, false) || len(a.table) != 0 || a.order.Len() != 0 {
		t.Error("refused, or remembered, after the window")
	}

	// Right passwords don't count, and don't help what was wrong before.
	for range 10 {
		if !judge(y, true) {
			t.Fatal("refused after right passwords")
		}
	}
	if len(a.table) != 0 {
		t.Error("remembered after right passwords")
	}
	wrong(y)
	wrong(y)
	judge(y, true)
	if refused(y, false) || !wrong(y) || wrong(y) || judge(y, true) {
		t.Error("a right password changed the number of wrong ones")
	}

	// The table is bounded; whoever was seen longest ago goes.
	wrong(x)
	a.refused(y)
	wrong(z)
	if len(a.table) != 2 || a.order.Len() != 2 || a.table[x] != nil {
		t.Errorf("table %v", a.table)
	}
	if !a.refused(y) {
		t.Error("the address that was seen last is forgotten")
	}

	off := &attempts{}
	for range 100 {
		if attempted, ok := off.judge(x, func() bool { return false }); !attempted || ok {
			t.Fatal("counts though switched off")
		}
	}
	if off.refused(x) || off.table != nil {
		t.Error("counts though switched off")
	}
}

func TestBackoff(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		b      backoff
		n      int
		random float64
		want   time.Duration
	}{
		{backoff{5 * s, 5 * s, 0}, 0, 0.9, 5 * s},
		{backoff{5 * s, 5 * s, 0}, 1000, 0.9, 5 * s},
		{backoff{s, 60 * s, 0}, 0, 0, s},
		{backoff{s, 60 * s, 0}, 1, 0, 2 * s},
		{backoff{s, 60 * s, 0}, 5, 0, 32 * s},
		{backoff{s, 60 * s, 0}, 6, 0, 60 * s},
		{backoff{s, 60 * s, 0}, 1 << 30, 0, 60 * s},
		{backoff{s, 1<<63 - 1, 0}, 1 << 30, 0, 1<<63 - 1},
		{backoff{10 * s, 10 * s, 0.5}, 0, 0, 10 * s},
		{backoff{10 * s, 10 * s, 0.5}, 0, 1, 5 * s},
		{backoff{10 * s, 10 * s, 1}, 0, 1, 0},
	} {
		if got := tt.b.pause(tt.n, tt.random); got != tt.want {
			t.Errorf("%+v.pause(%d, %v) = %v, want %v", tt.b, tt.n, tt.random, got, tt.want)
		}
	}
}
