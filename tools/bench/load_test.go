package bench

import (
	"context"
	"testing"
)

// All that is measured under load, with small amounts.
func TestLoadHosted(t *testing.T) {
	f := hosted(t)
	c, err := f.control(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const n = 20
	r := &run{client: f.tls, result: new(Result), amounts: amounts{owned: n, thousands: n, loadEchoes: 5, loadShakes: 2}}
	if err := r.ownersOf(t.Context(), f, c, n); err != nil {
		t.Fatal(err)
	}
	for _, step := range []func(context.Context, *target, *control) error{r.thousands, r.echoBeside, r.crowd, r.flood} {
		if err := step(t.Context(), f, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"load.echo.out.p50", "load.echo.in.p99", "load.handshake.p50", "load.handshake.spread", "load.flood.p50", "load.flood.p99"} {
		if m, ok := r.result.Metric(id); !ok || m.Value <= 0 {
			t.Errorf("%s: %+v", id, m)
		}
	}
	for _, id := range []string{"load.connection", "load.connection.used"} {
		if m, ok := r.result.Metric(id); !ok || m.Limit != 12 || m.Unit != "KB" {
			t.Errorf("%s: %+v", id, m)
		}
	}
	if m, _ := r.result.Metric("load.held"); m.Value != n {
		t.Errorf("%v connections were held", m.Value)
	}
	if m, _ := r.result.Metric("load.handshake.spread"); m.Value < 1 {
		t.Errorf("p99 ÷ p50 is %v", m.Value)
	}
}

// A firmware that takes only a few connections is said to.
func TestHoldTogetherFails(t *testing.T) {
	f := hosted(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	conns, err := f.holdTogether(ctx, 10)
	closeAll(conns)
	if err == nil || len(conns) > 0 {
		t.Errorf("%d connections, %v", len(conns), err)
	}
}

func TestOwnerOf(t *testing.T) {
	id := func(stack string) string {
		if i := ownerOf(stack); i < len(owners) {
			return owners[i].id
		}
		return "runtime"
	}
	for stack, want := range map[string]string{
		"runtime.mallocgc runtime.newobject crypto/tls.Server ingot.dev/tlsio.(*terms).serverConn":                                "tls",
		"runtime.mallocgc runtime.growslice bytes.growSlice bytes.(*Buffer).grow crypto/tls.(*Conn).readFromUntil":                "tls",
		"runtime.newobject crypto/internal/fips140/hkdf.Expand[...]":                                                              "tls",
		"runtime.newobject time.newTimer time.AfterFunc gvisor.dev/gvisor/pkg/tcpip.(*stdClock).AfterFunc":                        "gvisor",
		"runtime.newobject time.newTimer time.AfterFunc ingot.dev/net/netstack.(*half).setDeadline":                               "netstack",
		"runtime.makeslice github.com/google/btree.NewFreeListG[...] gvisor.dev/gvisor/pkg/tcpip/transport/tcp.NewSACKScoreboard": "gvisor",
		"runtime.newobject context.AfterFunc ingot.dev/firmware.(*System).Serve.func2 sync.(*WaitGroup).Go.func1":                 "firmware",
		"runtime.newobject ingot.dev/tlsio.(*terms).serverConn":                                                                   "tlsio",
		"runtime.malg runtime.newproc1": "runtime",
		"runtime.newobject main.main":   "runtime",
		"":                              "runtime",
	} {
		if got := id(stack); got != want {
			t.Errorf("%s: %s, want %s", stack, got, want)
		}
	}
	if ownerOf("runtime.malg") != len(owners) {
		t.Error("the runtime's own has another place")
	}
}
