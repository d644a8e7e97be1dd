package docs

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"ingot.dev/tools/bench"
	"ingot.dev/tools/profile"
)

var updateTables = flag.Bool("update", false, "write the tables of performance.md from tools/bench/baseline.json")

// The numbers of performance.md are the baseline's, which 'make bench-baseline' measures.
func TestPerformanceTables(t *testing.T) {
	r, err := bench.ReadFile("../tools/bench/baseline.json")
	if err != nil {
		t.Fatal(err)
	}
	if r.Quick {
		t.Error("the baseline is of a quick run")
	}
	b, err := os.ReadFile("performance.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, table := range map[string]string{
		"segments":   layerTable(t, r, "plain-in", "plain-out", "tls-in", "tls-out"),
		"exchanges":  layerTable(t, r, "handshake", "handshake-x25519", "resumed", "echo-plain", "echo-tls"),
		"figures":    figureTable(t, r),
		"primitives": primitiveTable(t, r),
		"boot":       bootTable(t, r),
	} {
		begin, end := "<!-- table: "+name+" -->\n", "<!-- end -->\n"
		head, rest, ok1 := strings.Cut(text, begin)
		_, tail, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("performance.md has no table %q", name)
		}
		text = head + begin + "\n" + table + "\n" + end + tail
	}
	if text == string(b) {
		return
	}
	if !*updateTables {
		t.Fatal("the tables are not the baseline's: 'go test ./docs -run Performance -update' writes them")
	}
	if err := os.WriteFile("performance.md", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// value returns a metric of the baseline, which has to be there.
func value(t *testing.T, r *bench.Result, id string) float64 {
	t.Helper()
	m, ok := r.Metric(id)
	if !ok {
		t.Fatalf("the baseline has no %s", id)
	}
	return m.Value
}

func layerTable(t *testing.T, r *bench.Result, loads ...string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|---|%s\n", strings.Join(loads, " | "), strings.Repeat("--:|", len(loads)))
	for _, l := range append(profile.Layers(), "all") {
		row, any := "| "+string(l)+" |", false
		for _, load := range loads {
			m, ok := r.Metric("layer." + load + "." + string(l))
			any = any || ok
			cell := "–"
			if ok {
				cell = bench.Format(m.Value)
			}
			row += " " + cell + " |"
		}
		if any {
			b.WriteString(row + "\n")
		}
	}
	return b.String()
}

func figureTable(t *testing.T, r *bench.Result) string {
	t.Helper()
	const segment = 1460
	beside := func(load string) float64 {
		return (value(t, r, "layer."+load+".all") - value(t, r, "layer."+load+".cipher")) / segment
	}
	full := value(t, r, "count.handshake")
	type figure struct {
		name        string
		got, atMost float64
	}
	var relayed []figure
	for _, way := range []string{"in", "out"} {
		if _, ok := r.Metric("relay.terminate." + way); ok { // a baseline from before has none
			more := value(t, r, "relay.terminate."+way)/value(t, r, "relay.tls."+way) - 1
			relayed = append(relayed, figure{"terminate, TLS " + way + ", adds to TLS alone, %", 100 * more, 10})
		}
	}
	var b strings.Builder
	b.WriteString("| | measured | to reach | |\n|---|--:|--:|---|\n")
	for _, f := range append([]figure{
		{"plaintext received, instructions per byte", value(t, r, "count.plain.in"), 2.5},
		{"plaintext sent", value(t, r, "count.plain.out"), 3},
		{"TLS received, beside the cipher", beside("tls-in"), 3.5},
		{"TLS sent, beside the cipher", beside("tls-out"), 4.5},
		{"handshake of a server, X25519, instructions", value(t, r, "count.handshake.x25519"), 11.3e6},
		{"handshake of a server, default groups", full, 13.2e6},
		{"resumed ÷ full handshake, both ends, X25519", value(t, r, "count.both-ends-p256-x25519-resumed") / value(t, r, "count.both-ends-p256-x25519-full"), 0.45},
		{"the same of a server alone, default groups and an echo", value(t, r, "count.handshake.resumed") / full, 0.45},
		{"TCP echo of 64 bytes, instructions", value(t, r, "count.echo.plain"), 50e3},
		{"TLS echo of 64 bytes", value(t, r, "count.echo.tls"), 80e3},
	}, relayed...) {
		verdict := "reached"
		if f.got > f.atMost {
			verdict = "**not reached**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.name, bench.Format(f.got), bench.Format(f.atMost), verdict)
	}
	return b.String()
}

func primitiveTable(t *testing.T, r *bench.Result) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| | |\n|---|--:|\n")
	for _, m := range r.Metrics {
		if name, ok := strings.CutPrefix(m.ID, "count."); ok && name == strings.ReplaceAll(m.Title, " ", "-") {
			fmt.Fprintf(&b, "| %s | %s %s |\n", m.Title, bench.Format(m.Value), m.Unit)
		}
	}
	return b.String()
}

func bootTable(t *testing.T, r *bench.Result) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| step | instructions |\n|---|--:|\n")
	rest := value(t, r, "count.boot")
	for _, m := range r.Metrics {
		if strings.HasPrefix(m.ID, "count.boot.") {
			rest -= m.Value
			fmt.Fprintf(&b, "| %s | %s |\n", m.Title, bench.Format(m.Value))
		}
	}
	fmt.Fprintf(&b, "| all others | %s |\n| from reset to the first handshake | %s |\n", bench.Format(rest), bench.Format(value(t, r, "count.boot")))
	return b.String()
}
