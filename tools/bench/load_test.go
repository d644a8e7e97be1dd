package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/firmware/bench"
	"ingot.dev/qemu/peer"
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
	r := &run{client: f.tls, result: new(Result), amounts: amounts{owned: n, thousands: n, loadEchoes: 5, loadShakes: 2, lossyBytes: 1e5}}
	var faults []peer.Faults
	f.disturb = func(o peer.Faults) { faults = append(faults, o) }
	if err := r.ownersOf(t.Context(), f, c, n); err != nil {
		t.Fatal(err)
	}
	for _, step := range []func(context.Context, *target, *control) error{r.thousands, r.echoBeside, r.crowd, r.flood, r.lossy} {
		if err := step(t.Context(), f, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"load.echo.out.p50", "load.echo.in.p99", "load.handshake.p50", "load.handshake.spread", "load.flood.p50", "load.flood.p99", "load.lossy.in", "load.lossy.out"} {
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
	if m, _ := r.result.Metric("load.handshake.spread"); m.Value < 1 || m.Limit != 3 {
		t.Errorf("p99 ÷ p50 is %v, of %v", m.Value, m.Limit)
	}
	// Each transfer with faults stands beside one without, and no fault stays.
	lossy := 0
	for i, o := range faults {
		if o.Loss > 0 {
			lossy++
			if before := faults[i-2]; before.Loss != 0 || before.Reorder != 0 || before.Rate != o.Rate {
				t.Errorf("%+v is compared with %+v", o, before)
			}
		}
	}
	if lossy != 2*lossyRounds || faults[len(faults)-1] != (peer.Faults{}) {
		t.Errorf("%d transfers with faults, and %+v is left", lossy, faults[len(faults)-1])
	}
}

// What is missed is said so.
func TestLeast(t *testing.T) {
	for value, want := range map[float64]string{0.72: "at least 0.60 ", 0.59: "at least 0.60 MISSED"} {
		r := new(Result)
		r.add("load.lossy.in", "received", value, "", "of something")
		var table bytes.Buffer
		if err := r.WriteTable(&table); err != nil || !strings.Contains(table.String(), want) {
			t.Errorf("%v: %v\n%s", value, err, &table)
		}
	}
}

// A firmware that takes only a few connections is said to.
func TestHoldTogetherFails(t *testing.T) {
	f := hosted(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	conns, err := f.holdTogether(ctx, 10, time.Minute)
	closeAll(conns)
	if err == nil || len(conns) > 0 {
		t.Errorf("%d connections, %v", len(conns), err)
	}
}

// Attempts that fail don't count as long as others succeed, and when none does any more
// the error says how many there are, and why.
func TestHoldTogetherTriesAgain(t *testing.T) {
	f := hosted(t)
	broken := errors.New("broken on purpose")
	var mu sync.Mutex
	dials, most := 0, 1000
	dial := f.dial
	f.dial = func(ctx context.Context, port int) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if dials++; dials%3 == 0 || most == 0 {
			return nil, broken
		}
		most--
		return dial(ctx, port)
	}
	conns, err := f.holdTogether(t.Context(), 30, time.Minute)
	closeAll(conns)
	if err != nil || len(conns) != 30 {
		t.Errorf("%d connections, %v", len(conns), err)
	}
	most = 12
	conns, err = f.holdTogether(t.Context(), 30, time.Second)
	closeAll(conns)
	var held *heldError
	if len(conns) != 12 || !errors.Is(err, broken) || !errors.As(err, &held) || held.held > 12 || held.failed == 0 ||
		!strings.Contains(err.Error(), " of 30 connections are open") {
		t.Errorf("%d connections, %v", len(conns), err)
	}
}

// Latencies are found in a dump: by port, from question to answer.
func TestReadAnswers(t *testing.T) {
	const client, other = 40000, 40001
	var b bytes.Buffer
	b.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1})
	b.Write(make([]byte, 16))
	b.Write([]byte{1, 0, 0, 0})
	put := func(ms int, from, to uint16, flags byte, data int) {
		f := make([]byte, 54)
		f[12], f[14], f[23], f[46], f[47] = 8, 0x45, 6, 5<<4, flags
		binary.BigEndian.PutUint16(f[16:], uint16(40+data))
		binary.BigEndian.PutUint16(f[34:], from)
		binary.BigEndian.PutUint16(f[36:], to)
		for _, v := range []int{ms / 1000, ms % 1000 * 1000, len(f), len(f) + data} {
			b.Write(binary.LittleEndian.AppendUint32(nil, uint32(v)))
		}
		b.Write(f)
	}
	const syn, ack, echo = 2, 16, bench.PortEcho
	put(100, client, echo, syn, 0)
	put(101, echo, client, syn|ack, 0)
	put(102, client, echo, ack, 500)
	put(103, other, echo, syn, 0)
	put(104, echo, client, ack, 0)
	put(110, echo, client, ack, 900)
	put(111, client, echo, ack, 58)
	put(200, client, echo, ack, echoRecord)
	put(201, bench.PortTLSSource, client, ack, echoRecord) // another service
	put(203, echo, client, ack, echoRecord)
	put(210, client, echo, ack, echoRecord)
	put(211, client, echo, ack, echoRecord) // again
	put(217, echo, client, ack, echoRecord)
	put(220, echo, client, ack, echoRecord) // nobody asked
	put(300, client, echo, syn, 0)          // the port again, and nobody answers
	put(301, client, echo, ack, 500)
	all, err := readAnswers(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if took := all.handshakes([]uint16{client, other}); len(took) != 0 {
		t.Errorf("handshakes: %v", took)
	}
	whole := b.Bytes()
	before := whole[:len(whole)-2*(16+54)]
	if all, err = readAnswers(bytes.NewReader(before)); err != nil {
		t.Fatal(err)
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	if took := all.handshakes([]uint16{client, other, 1}); !slices.Equal(took, []time.Duration{ms(10)}) {
		t.Errorf("handshakes: %v", took)
	}
	if took := all.echoes([]uint16{client, other, 1}); !slices.Equal(took, []time.Duration{ms(3), ms(7)}) {
		t.Errorf("echoes: %v", took)
	}
	if _, err := readAnswers(strings.NewReader("no dump")); err == nil {
		t.Error("what is no dump was read")
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

func TestEvenness(t *testing.T) {
	var e evenness
	for _, slowest := range []int{300, 100, 500, 200, 900} {
		took := make([]time.Duration, 99)
		for i := range took {
			took[i] = 100
		}
		e.add(append(took, time.Duration(slowest), time.Duration(slowest)))
	}
	if e.ratio() != 3 || median(e.halves) != 100 || e.note() != "rounds: 1.00 to 9.00" {
		t.Errorf("%v, %v, %s", e.ratio(), e.halves, e.note())
	}
}

// settling is a firmware whose goroutines become fewer as it says.
func settling(t *testing.T, goroutines ...int) *control {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	go func() {
		in := bufio.NewReader(theirs)
		for i := 0; ; i++ {
			if _, err := in.ReadBytes('\n'); err != nil {
				return
			}
			fmt.Fprintf(theirs, `{"status":{"goroutines":%d}}`+"\n", goroutines[min(i, len(goroutines)-1)])
		}
	}()
	return &control{conn: ours, in: bufio.NewReader(ours)}
}

// Connections that go away slowly are waited for; those that stay are said to.
func TestSettle(t *testing.T) {
	for name, tt := range map[string]struct {
		goroutines []int
		patience   time.Duration
		want       string // part of the error
	}{
		"at once":   {[]int{12}, time.Minute, ""},
		"slowly":    {[]int{40, 40, 39, 41, 30, 30, 13, 12}, time.Minute, ""},
		"they stay": {[]int{40, 39, 35}, 100 * time.Millisecond, "25 more than before"},
	} {
		err := settle(t.Context(), settling(t, tt.goroutines...), 10, tt.patience)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := settle(ctx, settling(t, 40), 10, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
