package bench

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"ingot.dev/tools/profile"
)

// layerRounds is how often a workload's cost is measured; the median counts.
const layerRounds = 3

// layers divides what each workload costs among the firmware's layers: exact counts,
// divided by the samples of a profile.
func (r *run) layers(ctx context.Context) error {
	m, t, c, err := r.boot(ctx, countMode)
	if err != nil {
		return err
	}
	defer m.Stop()
	defer c.Close()
	r.result.section("Instructions by layer")
	for i := range workloads {
		if err := r.layersOf(ctx, t, c, &workloads[i]); err != nil {
			return fmt.Errorf("%s: %w", workloads[i].name, describe(m, err))
		}
	}
	return nil
}

func (r *run) layersOf(ctx context.Context, t *target, c *control, w *workload) error {
	r.say("layers: %s", w.title)
	cost, err := w.cost(ctx, t, c, w.some, 1) // and to warm up
	if err != nil {
		return err
	}
	cost, err = w.cost(ctx, t, c, max(units(r.amounts.layerCost, cost), w.some), layerRounds)
	if err != nil {
		return err
	}
	data, err := w.sample(ctx, t, c, ProfileRate, units(r.amounts.layerSamples, cost))
	if err != nil {
		return err
	}
	p, err := profile.Parse(data)
	if err != nil {
		return err
	}
	r.result.add(layerID(w, "all"), w.title+", per "+w.unit, cost, unitInstructions, fmt.Sprintf("divided by %d samples", p.Samples()))
	shares := p.Layers()
	for _, l := range profile.Layers() {
		if shares[l] > 0 {
			r.result.add(layerID(w, l), fmt.Sprintf("%s, per %s: %s", w.title, w.unit, l), shares[l]*cost, unitInstructions, "")
		}
	}
	return nil
}

// Metrics of layers: "layer", workload, layer. The workload's whole cost has the layer
// "all".
const layerPrefix = "layer."

func layerID(w *workload, l profile.Layer) string { return layerPrefix + w.name + "." + string(l) }

// wholeID returns the metric that a layer's metric is a part of; ok is false for others.
func wholeID(id string) (whole string, ok bool) {
	rest, ok := strings.CutPrefix(id, layerPrefix)
	name, layer, dotted := strings.Cut(rest, ".")
	if !ok || !dotted || layer == "all" {
		return "", false
	}
	return layerPrefix + name + ".all", true
}

// writeLayers prints what layers measured: workloads beside each other.
func (r *Result) writeLayers(out io.Writer) error {
	var columns []*workload
	for i := range workloads {
		if _, ok := r.Metric(layerID(&workloads[i], "all")); ok {
			columns = append(columns, &workloads[i])
		}
	}
	if len(columns) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, cell func(*workload) string) {
		fmt.Fprint(t, name)
		for _, w := range columns {
			fmt.Fprint(t, "\t", cell(w))
		}
		fmt.Fprintln(t, "\t")
	}
	row("Instructions by layer", func(w *workload) string { return w.name })
	row("per", func(w *workload) string { return w.unit })
	for _, l := range profile.Layers() {
		row(string(l), func(w *workload) string {
			m, ok := r.Metric(layerID(w, l))
			if !ok {
				return "-"
			}
			return number(m.Value)
		})
	}
	row("all", func(w *workload) string {
		m, _ := r.Metric(layerID(w, "all"))
		return number(m.Value)
	})
	return t.Flush()
}
