package profile

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// made builds a profile as runtime/pprof does: stacks like "main.f;main.g 3", the
// outermost function first; a function behind "+" is inlined into the one before it.
func made(t testing.TB, stacks ...string) []byte {
	t.Helper()
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Period:     100_000,
	}
	functions := make(map[string]*profile.Function)
	function := func(name string) *profile.Function {
		f := functions[name]
		if f == nil {
			f = &profile.Function{ID: uint64(len(functions) + 1), Name: name}
			functions[name] = f
			p.Function = append(p.Function, f)
		}
		return f
	}
	for _, s := range stacks {
		text, count, ok := strings.Cut(s, " ")
		if !ok {
			t.Fatalf("no count in %q", s)
		}
		var n int64
		fmt.Sscan(count, &n)
		sample := &profile.Sample{Value: []int64{n, n * 100_000}}
		for _, frame := range strings.Split(text, ";") {
			l := &profile.Location{ID: uint64(len(p.Location) + 1)}
			for _, name := range strings.Split(frame, "+") {
				l.Line = append([]profile.Line{{Function: function(name), Line: 1}}, l.Line...)
			}
			p.Location = append(p.Location, l)
			sample.Location = append([]*profile.Location{l}, sample.Location...)
		}
		p.Sample = append(p.Sample, sample)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParse(t *testing.T) {
	p, err := Parse(made(t,
		"runtime.goexit;main.work 30",
		"runtime.goexit;main.work+main.inlined 10",
		"runtime.goexit;runtime/pprof.profileWriter;runtime.memmove 100",
		"runtime.sigtramp;runtime.sighandler;runtime.sigprof 7",
	))
	if err != nil {
		t.Fatal(err)
	}
	if p.Samples() != 40 {
		t.Errorf("%d samples without the profiler's, want 40", p.Samples())
	}
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	again, err := Parse(out.Bytes())
	if err != nil || again.Samples() != 40 {
		t.Errorf("what was written: %v", err)
	}
	if raw, err := profile.ParseData(out.Bytes()); err != nil || len(raw.Sample) != 2 {
		t.Errorf("the profiler's samples were written, too: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	if _, err := Parse(made(t, "runtime.goexit;runtime/pprof.profileWriter 100")); !errors.Is(err, ErrNoSamples) {
		t.Errorf("no samples: %v", err)
	}
	if _, err := Parse([]byte("no profile")); err == nil {
		t.Error("garbage was accepted")
	}
	heap := &profile.Profile{SampleType: []*profile.ValueType{{Type: "alloc_space", Unit: "bytes"}}}
	var b bytes.Buffer
	heap.Write(&b)
	if _, err := Parse(b.Bytes()); err == nil || errors.Is(err, ErrNoSamples) {
		t.Errorf("a profile of the heap: %v", err)
	}
}

func TestLayerOf(t *testing.T) {
	for _, tt := range []struct {
		stack string // outermost first
		want  Layer
	}{
		{"runtime.goexit;ingot.dev/board/driver/enet.(*Driver).NextRx", Driver},
		{"runtime.goexit;ingot.dev/net/link.(*Endpoint).drain;ingot.dev/board/driver/enet.(*Driver).look;runtime.memmove", Driver},
		{"runtime.goexit;ingot.dev/net/link.(*Endpoint).drain;bytes.Equal;runtime.memequal;memeqbody", Network},
		{"runtime.goexit;gvisor.dev/gvisor/pkg/buffer.(*View).Write;runtime.memmove", Netstack},
		{"gvisor.dev/gvisor/pkg/tcpip/stack.NewPacketBuffer;sync.(*Pool).Get;sync.(*Pool).pin", Netstack},
		{"gvisor.dev/gvisor/pkg/tcpip/stack.NewPacketBuffer;runtime.newobject;runtime.mallocgc", Allocation},
		{"gvisor.dev/gvisor/pkg/tcpip/stack.x;runtime.mallocgc;runtime.gcAssistAlloc;runtime.systemstack;runtime.gcDrainN;runtime.scanobject", Collection},
		{"runtime.gcBgMarkWorker;runtime.systemstack;runtime.gcBgMarkWorker.func2;runtime.gcDrain", Collection},
		{"gvisor.dev/gvisor/pkg/tcpip/transport/tcp.(*dispatcher).start;internal/sync.(*Mutex).Lock;runtime.lock2", Scheduling},
		{"runtime.mcall;runtime.park_m;runtime.schedule;runtime.findRunnable;runtime.netpoll;internal/runtime/syscall/linux.EpollWait;internal/runtime/syscall/linux.Syscall6", Kernel},
		{"runtime.mcall;runtime.park_m;runtime.schedule;runtime.findRunnable", Scheduling},
		{"runtime.mcall", Scheduling},
		{"ingot.dev/tlsio.(*Conn).Read;runtime.gopark;runtime.futex", Kernel},
		{"ingot.dev/tlsio.(*Conn).Read;crypto/tls.(*Conn).Read;crypto/tls.(*halfConn).decrypt;golang.org/x/crypto/chacha20poly1305.(*chacha20poly1305).open", Cipher},
		{"crypto/tls.(*Conn).Read;crypto/tls.(*halfConn).decrypt;vendor/golang.org/x/crypto/chacha20.(*Cipher).xorKeyStreamBlocksGeneric", Cipher},
		{"crypto/tls.(*Conn).Read;crypto/tls.(*halfConn).decrypt", TLS},
		{"crypto/tls.(*Conn).handshake;crypto/ecdsa.Sign;crypto/internal/fips140/nistec.p256Mul", PublicKeys},
		{"crypto/tls.(*Conn).handshake;crypto/internal/fips140/ecdsa.Sign;crypto/internal/fips140/hmac.(*HMAC).Write;crypto/internal/fips140/sha256.blockGeneric", Hashes},
		{"crypto/tls.(*Conn).handshake;crypto/internal/fips140/nistec/fiat.p256Mul", PublicKeys},
		{"crypto/tls.(*Conn).handshake;crypto/internal/fips140/aes/gcm.seal", Cipher},
		{"crypto/tls.(*Conn).handshake;crypto/x509.(*Certificate).Verify;encoding/asn1.parseField;reflect.Value.Set", Certificates},
		{"ingot.dev/firmware.Echo;io.Copy", Program},
		{"runtime.main;main.main;sort.Ints", Program},
		{"main.Map[ingot.dev/board/x.T].Get", Program},
		{"runtime._LostSIGPROFDuringAtomic64", Atomics},
		{"example.org/pkg.F", Other},
	} {
		frames := strings.Split(tt.stack, ";")
		if got := layerOf(frames); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.stack, got, tt.want)
		}
	}
}

func TestPackageOf(t *testing.T) {
	for function, want := range map[string]string{
		"main.main":                          "main",
		"gopkg.in/yaml%2ev3.Parse":           "gopkg.in/yaml.v3",
		"ingot.dev/net/link.(*batch).add":    "ingot.dev/net/link",
		"slices.Sort[go.shape.[]a/b.T]":      "slices",
		"a/b.F[c/d.T]":                       "a/b",
		"memeqbody":                          "memeqbody",
		"internal/runtime/maps.(*Iter).Next": "internal/runtime/maps",
	} {
		if got := packageOf(function); got != want {
			t.Errorf("%s: %q, want %q", function, got, want)
		}
	}
}

// Every layer has a colour of its own, and rules give known layers only.
func TestLayersAreKnown(t *testing.T) {
	known := make(map[Layer]bool)
	seen := make(map[uint32]Layer)
	for _, l := range Layers() {
		known[l] = true
		hue, ok := hues[l]
		if !ok {
			t.Errorf("%s has no colour", l)
		}
		if other, ok := seen[hue]; ok {
			t.Errorf("%s and %s have the same colour", l, other)
		}
		seen[hue] = l
	}
	for _, r := range rules {
		if r.layer != "" && !known[r.layer] {
			t.Errorf("%s: layer %q is not in the list", r.path, r.layer)
		}
	}
}

func TestShares(t *testing.T) {
	p, err := Parse(made(t, "gvisor.dev/gvisor/pkg/tcpip.F 60", "crypto/tls.F 30", "crypto/tls.F;runtime.mallocgc 10"))
	if err != nil {
		t.Fatal(err)
	}
	got := p.Layers()
	for l, want := range map[Layer]float64{Netstack: 0.6, TLS: 0.3, Allocation: 0.1} {
		if math.Abs(got[l]-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", l, got[l], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("layers: %v", got)
	}
}

func TestFunctions(t *testing.T) {
	p, err := Parse(made(t, "main.a;main.b 30", "main.a;main.c+main.b 10", "main.a 40", "main.a;main.c 20"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(p.Functions()), "[{main.a 0.4} {main.b 0.4} {main.c 0.2}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFlameGraph(t *testing.T) {
	p, err := Parse(made(t,
		"runtime.goexit;main.work;crypto/tls.(*Conn).Read;crypto/tls.(*halfConn).decrypt 60",
		"runtime.goexit;main.work;main.Map[a/b.T].Get 30",
		"runtime.goexit;gvisor.dev/gvisor/pkg/tcpip.F 10",
		"runtime.goexit;main.work;crypto/tls.(*Conn).Read;crypto/tls.(*halfConn).decrypt 20",
	))
	if err != nil {
		t.Fatal(err)
	}
	var out, again bytes.Buffer
	if err := p.WriteFlameGraph(&out, "a <title> & more"); err != nil {
		t.Fatal(err)
	}
	svg := out.String()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
	for _, want := range []string{
		"a &lt;title&gt; &amp; more: 120 samples",
		"<title>all: 100.00 % (120 samples)</title>",
		"<title>crypto/tls.(*Conn).Read: 66.67 % (80 samples)</title>", // merged
		"<title>main.Map[a/b.T].Get: 25.00 % (30 samples)</title>",
		`data-n="main.Map[a/b.T].Get"`, `data-w="1200.00"`, "TLS 66.7 %", "netstack 8.3 %",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in:\n%s", want, svg)
		}
	}
	for _, foreign := range []string{"http://", "https://"} {
		if n := strings.Count(strings.ReplaceAll(svg, "http://www.w3.org/2000/svg", ""), foreign); n > 0 {
			t.Errorf("it refers to something outside of itself by %s", foreign)
		}
	}
	if p.WriteFlameGraph(&again, "a <title> & more"); again.String() != svg {
		t.Error("the same profile makes another picture")
	}
}

// Children lie above their callers and within them, and nothing overlaps.
func TestFlameGraphAddsUp(t *testing.T) {
	var stacks []string
	for i := range 40 {
		stacks = append(stacks, fmt.Sprintf("a.A;b.B%d;c.C%d;d.D 5", i%7, i%3), fmt.Sprintf("a.A;b.B%d 1", i%7))
	}
	p, err := Parse(made(t, stacks...))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(n *node)
	walk = func(n *node) {
		sum := int64(0)
		for _, c := range n.children {
			sum += c.count
			walk(c)
		}
		if sum > n.count {
			t.Errorf("%s: %d samples, its children %d", n.name, n.count, sum)
		}
	}
	root := p.tree()
	walk(root)
	if root.count != p.Samples() || len(root.children) != 1 || len(root.children[0].children) != 7 {
		t.Errorf("%d samples, %d children", root.count, len(root.children))
	}
}

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		width float64
		want  string
	}{{1000, "runtime.memmove"}, {70, "runtime.m…"}, {20, ""}, {0, ""}} {
		if got := fit("runtime.memmove", tt.width); got != tt.want {
			t.Errorf("in %v: %q, want %q", tt.width, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(made(f, "runtime.goexit;main.work 30"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		sum := 0.0
		for _, share := range p.Layers() {
			sum += share
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("shares add up to %v", sum)
		}
		if err := p.WriteFlameGraph(io.Discard, "fuzz"); err != nil {
			t.Error(err)
		}
	})
}
