package boottime

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Dimensions of the picture, in SVG's user units.
const (
	width     = 1000.0
	labels    = 210.0 // left of the bars
	rowHeight = 17.0
	barHeight = 12.0
	top       = 52.0

	// shownPackages is how many packages have a row of their own.
	shownPackages = 12
)

// WriteSVG draws the timeline: instructions from left to right, a row for each step, and
// below the packages' those that take most. Pointing at one tells its numbers.
func (t *Timeline) WriteSVG(w io.Writer, title string) error {
	all := t.Total()
	rows := t.rows()
	out := bufio.NewWriter(w)
	height := top + float64(len(rows))*rowHeight + 8
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="11">`+"\n", width, height)
	fmt.Fprintf(out, `<rect width="%g" height="%g" fill="white"/>`+"\n", width, height)
	fmt.Fprintf(out, `<text x="8" y="19" font-size="15">%s</text>`+"\n", escape(title))
	scale := (width - labels - 90) / float64(max(all.To, 1))
	x := func(n uint64) float64 { return labels + float64(n)*scale }
	for at, step := uint64(0), tick(all.To); at <= all.To; at += step {
		fmt.Fprintf(out, `<line x1="%.1f" y1="40" x2="%.1f" y2="%.1f" stroke="#ddd"/><text x="%.1f" y="36" text-anchor="middle" fill="#666">%g M</text>`+"\n",
			x(at), x(at), height-6, x(at), float64(at)/1e6)
	}
	for i, r := range rows {
		y := top + float64(i)*rowHeight
		hue, weight, indent := 210, "bold", 8.0
		if r.inner {
			hue, weight, indent = 30, "normal", 20
		}
		end := max(x(r.To), x(r.From)+0.5)
		fmt.Fprintf(out, `<g><title>%s</title><text x="%g" y="%.1f" font-weight="%s">%s</text>`,
			escape(fmt.Sprintf("%s: %s instructions, from %s", r.Name, grouped(r.Instructions()), grouped(r.From))), indent, y+10, weight, escape(r.Name))
		fmt.Fprintf(out, `<rect x="%.2f" y="%.1f" width="%.2f" height="%g" fill="hsl(%d,60%%,55%%)"/>`, x(r.From), y, end-x(r.From), barHeight, hue)
		fmt.Fprintf(out, `<text x="%.2f" y="%.1f" fill="#444">%s</text></g>`+"\n", end+5, y+10, millions(r.Instructions()))
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

// A row of the picture.
type row struct {
	Step
	inner bool
}

func (t *Timeline) rows() (rows []row) {
	packages := slices.Clone(t.Packages)
	slices.SortStableFunc(packages, func(a, b Step) int { return cmp.Compare(b.Instructions(), a.Instructions()) })
	packages = packages[:min(shownPackages, len(packages))]
	slices.SortStableFunc(packages, func(a, b Step) int { return cmp.Compare(a.From, b.From) })
	for _, s := range t.Steps {
		rows = append(rows, row{s, false})
		if s.Name == Initialization {
			for _, p := range packages {
				rows = append(rows, row{p, true})
			}
		}
	}
	return rows
}

// tick is a round number, of which ten at most make the whole.
func tick(whole uint64) uint64 {
	for step := uint64(1000); ; step *= 10 {
		for _, m := range []uint64{1, 2, 5} {
			if whole/(step*m) <= 10 {
				return step * m
			}
		}
	}
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
