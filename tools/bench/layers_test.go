package bench

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ingot.dev/tools/boottime"
	"ingot.dev/tools/profile"
)

// Every workload does what it counts, on the host's network.
func TestWorkloadsHosted(t *testing.T) {
	f := hosted(t)
	for _, w := range workloads {
		did := false
		err := w.on(t.Context(), f, func(do func(int64) error) error {
			did = true
			return do(2)
		})
		if err != nil || !did {
			t.Errorf("%s: %v, done: %v", w.name, err, did)
		}
		if w.title == "" || w.unit == "" || w.some < 1 {
			t.Errorf("%s is not complete", w.name)
		}
	}
	broken := errors.New("broken")
	for _, w := range workloads {
		if err := w.on(t.Context(), f, func(func(int64) error) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("%s: %v", w.name, err)
		}
	}
}

// A workload whose firmware breaks is an error, not a number.
func TestWorkloadsBroken(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := hosted(t)
	for _, w := range workloads {
		if err := w.on(ctx, f, func(do func(int64) error) error { return do(1 << 30) }); err == nil {
			t.Errorf("%s: no error", w.name)
		}
	}
}

func TestProfileRefuses(t *testing.T) {
	for _, tt := range []struct {
		opt  ProfileOptions
		want string
	}{
		{ProfileOptions{Workload: "lunch"}, `unknown load "lunch"; known: plain-in`},
		{ProfileOptions{Board: "toaster"}, "toaster"},
		{ProfileOptions{Busy: -1}, "time"},
		{ProfileOptions{Rate: -1}, "samples"},
	} {
		if _, err := Profile(t.Context(), tt.opt); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.opt, err)
		}
	}
}

func TestMedianBoot(t *testing.T) {
	var lines []*boottime.Timeline
	for _, n := range []uint64{30, 10, 20} {
		lines = append(lines, &boottime.Timeline{Steps: []boottime.Step{{Name: "all", To: n}}})
	}
	if got := medianBoot(lines).Total().Instructions(); got != 20 {
		t.Errorf("the median of 30, 10 and 20 is %d", got)
	}
}

func TestUnits(t *testing.T) {
	for _, tt := range []struct {
		busy time.Duration
		cost float64
		want int64
	}{{time.Second, 1e6, 1000}, {time.Millisecond, 1e9, 1}, {time.Second, 0, 1e9}} {
		if got := units(tt.busy, tt.cost); got != tt.want {
			t.Errorf("units(%v, %v) = %d, want %d", tt.busy, tt.cost, got, tt.want)
		}
	}
}

// layered is a result with the layers of two workloads.
func layered() *Result {
	r := sample()
	r.section("Instructions by layer")
	for _, w := range workloads[:2] {
		r.add(layerID(&w, "all"), w.title, 10_000, unitInstructions, "")
		r.add(layerID(&w, profile.Kernel), w.title+": kernel", 100, unitInstructions, "")
		r.add(layerID(&w, profile.Netstack), w.title+": netstack", 9_900, unitInstructions, "")
	}
	return r
}

func TestCompareLayers(t *testing.T) {
	change := func(l profile.Layer, by float64) *Result {
		r := layered()
		for i := range r.Metrics {
			if r.Metrics[i].ID == layerID(&workloads[1], l) {
				r.Metrics[i].Value += by
			}
		}
		return r
	}
	quick := change(profile.Netstack, 5000)
	quick.Quick = true
	without := layered()
	without.Metrics = without.Metrics[:len(without.Metrics)-1]
	missing := layered()
	missing.Metrics = missing.Metrics[:len(missing.Metrics)-3]
	for _, tt := range []struct {
		name   string
		result *Result
		want   string
	}{
		{"same", layered(), ""},
		{"twice of what is small", change(profile.Kernel, 100), ""}, // 1 % of the whole
		{"kernel", change(profile.Kernel, 300), "kernel: 400, baseline 100 (+300.0 %)"},
		{"netstack", change(profile.Netstack, -250), "netstack: 9,650, baseline 9,900 (-2.5 %)"},
		{"whole", change("all", 300), "10,300, baseline 10,000 (+3.0 %)"},
		{"a quick run has too few samples", quick, ""},
		{"a layer without samples", without, "netstack: 0, baseline 9,900 (-100.0 %)"},
		{"a workload that was not measured", missing, "was not measured"},
	} {
		err := Compare(tt.result, layered())
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (!errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestLayerTable(t *testing.T) {
	var b bytes.Buffer
	if err := layered().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	var kernel, all, head string
	for line := range strings.Lines(b.String()) {
		fields := strings.Join(strings.Fields(line), " ")
		switch {
		case strings.HasPrefix(fields, "kernel "):
			kernel = fields
		case strings.HasPrefix(fields, "all "):
			all = fields
		case strings.HasPrefix(fields, "Instructions by layer"):
			head = fields
		}
	}
	if kernel != "kernel 100 100" || all != "all 10,000 10,000" || head != "Instructions by layer plain-in plain-out" {
		t.Errorf("%q, %q, %q in:\n%s", head, kernel, all, &b)
	}
	if strings.Contains(b.String(), "received: kernel") {
		t.Errorf("the table of metrics has layers, too:\n%s", &b)
	}
}

func TestWholeID(t *testing.T) {
	for id, want := range map[string]string{
		"layer.tls-in.kernel": "layer.tls-in.all", "layer.tls-in.all": "", "count.tls.in": "", "layer.x": "",
	} {
		if got, ok := wholeID(id); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", id, got, ok)
		}
	}
}
