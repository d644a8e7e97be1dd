package sizes

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"io"
	"strings"
)

// Dimensions of the picture, in SVG's user units.
const (
	mapWidth, mapHeight = 1200.0, 800.0
	titleHeight         = 18.0
)

type rect struct{ x, y, w, h float64 }

// WriteSVG draws the report as a treemap (Bruls, Huizing, van Wijk, "Squarified
// Treemaps", 2000): an area for each part, in it one for each package, each as
// large as its share of the image. Pointing at one tells its numbers.
func (r *Report) WriteSVG(w io.Writer, title string) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12">`+"\n", mapWidth, mapHeight+titleHeight+6)
	fmt.Fprintf(out, `<text x="4" y="15" font-size="15">%s</text>`+"\n", escape(fmt.Sprintf("%s: %s", title, bytesText(r.Total.Total()))))
	var sizes []int64
	for _, p := range r.Parts {
		sizes = append(sizes, p.Total())
	}
	for i, area := range squarify(sizes, rect{0, titleHeight + 6, mapWidth, mapHeight}) {
		r.drawPart(out, r.Parts[i], area)
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

func (r *Report) drawPart(out io.Writer, part Part, area rect) {
	fmt.Fprintf(out, `<g><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" stroke="white" stroke-width="3"/>`+"\n", area.x, area.y, area.w, area.h, color(part.Name, 45))
	label(out, area, part.Name+" "+bytesText(part.Total()), "white", true)
	inner := rect{area.x + 3, area.y + titleHeight, area.w - 6, area.h - titleHeight - 3}
	if inner.w > 8 && inner.h > 8 {
		var packages []Package
		var sizes []int64
		for _, p := range r.Packages {
			if p.Part == part.Name {
				packages, sizes = append(packages, p), append(sizes, p.Total())
			}
		}
		for i, a := range squarify(sizes, inner) {
			p := packages[i]
			fmt.Fprintf(out, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" stroke="white" stroke-width="0.7"><title>%s</title></rect>`+"\n",
				a.x, a.y, a.w, a.h, color(part.Name, 78), escape(fmt.Sprintf("%s: %s (code %s, data %s, tables %s)", p.Path, bytesText(p.Total()), bytesText(p.Code), bytesText(p.Data), bytesText(p.Tables))))
			name := p.Path[strings.LastIndexByte(p.Path, '/')+1:]
			label(out, a, name, "black", false)
		}
	}
	fmt.Fprintln(out, "</g>")
}

// label writes text into the corner of an area if it fits there.
func label(out io.Writer, a rect, text, fill string, bold bool) {
	const charWidth = 7
	if fits := int(a.w / charWidth); a.h < 14 || fits < 3 {
		return
	} else if len(text) > fits {
		text = text[:fits-1] + "…"
	}
	weight := "normal"
	if bold {
		weight = "bold"
	}
	fmt.Fprintf(out, `<text x="%.1f" y="%.1f" fill="%s" font-weight="%s" pointer-events="none">%s</text>`+"\n", a.x+4, a.y+13, fill, weight, escape(text))
}

// hues are of the parts that images commonly have; others get one by their name.
var hues = map[string]uint32{
	"TLS": 145, "network": 210, "standard library": 40, "Go's runtime": 265, "types and strings": 0,
	"kernel and drivers": 20, "program": 330, "firmware": 90, "certificates": 180,
}

// color gives each part a hue of its own, whatever else is in the picture.
func color(part string, lightness int) string {
	hue, ok := hues[part]
	if !ok {
		h := fnv.New32a()
		io.WriteString(h, part)
		hue = h.Sum32() % 360
	}
	return fmt.Sprintf("hsl(%d,45%%,%d%%)", hue, lightness)
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

func bytesText(n int64) string {
	if n >= 1e6 {
		return fmt.Sprintf("%.2f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1e3)
}

// squarify divides area in proportion to sizes, which fall, into rectangles as near
// to squares as can be.
func squarify(sizes []int64, area rect) []rect {
	var total float64
	for _, s := range sizes {
		total += float64(s)
	}
	if total == 0 {
		return make([]rect, len(sizes))
	}
	scale := area.w * area.h / total
	out := make([]rect, 0, len(sizes))
	for len(sizes) > 0 {
		side := min(area.w, area.h)
		row, sum := 1, float64(sizes[0])*scale
		for row < len(sizes) {
			next := sum + float64(sizes[row])*scale
			if worst(sizes[:row+1], scale, next, side) > worst(sizes[:row], scale, sum, side) {
				break
			}
			row, sum = row+1, next
		}
		thick := 0.0
		if side > 0 {
			thick = sum / side
		}
		at := 0.0
		for _, s := range sizes[:row] {
			long := 0.0
			if thick > 0 {
				long = float64(s) * scale / thick
			}
			if area.w >= area.h {
				out = append(out, rect{area.x, area.y + at, thick, long})
			} else {
				out = append(out, rect{area.x + at, area.y, long, thick})
			}
			at += long
		}
		if area.w >= area.h {
			area.x, area.w = area.x+thick, area.w-thick
		} else {
			area.y, area.h = area.y+thick, area.h-thick
		}
		sizes = sizes[row:]
	}
	return out
}

// worst is the largest ratio of sides in a row of the given sum along side.
func worst(row []int64, scale, sum, side float64) float64 {
	largest, smallest := float64(row[0])*scale, float64(row[len(row)-1])*scale
	if smallest == 0 || side == 0 {
		return 0
	}
	return max(side*side*largest/(sum*sum), sum*sum/(side*side*smallest))
}
