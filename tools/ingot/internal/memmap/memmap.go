package memmap

import (
	"bufio"
	"debug/elf"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"ingot.dev/kernel/layout"
)

// Map is the memory map of one image.
type Map struct {
	Title string
	Areas []layout.Area
}

// Read makes the map of an image.
func Read(file string) (*Map, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	var segments []*elf.Prog
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			segments = append(segments, p)
		}
	}
	m := &Map{Title: file, Areas: append([]layout.Area(nil), layout.Areas...)}
	// The segments are the areas whose ends the table leaves open, in order.
	if len(segments) != 3 || segments[0].Vaddr != layout.RAMStart+layout.OffImage {
		return nil, fmt.Errorf("%s is no image: it has %d segments, want text, constants and data from %#x", file, len(segments), layout.RAMStart+layout.OffImage)
	}
	i := 0
	for m.Areas[i].From != segments[0].Vaddr {
		i++
	}
	for j, p := range segments {
		m.Areas[i+j].From, m.Areas[i+j].To = p.Vaddr, pages(p.Vaddr+p.Memsz)
	}
	m.Areas[i+len(segments)].From = pages(segments[2].Vaddr + segments[2].Memsz)
	return m, nil
}

// pages rounds an address up to the next page.
func pages(a uint64) uint64 { return (a + layout.PageSize - 1) &^ (layout.PageSize - 1) }

// WriteText prints the map as a table.
func (m *Map) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FROM\tTO\tSIZE\tPROGRAM\tKERNEL\tWHAT")
	for _, a := range m.Areas {
		fmt.Fprintf(w, "%08X\t%s\t%s\t%s\t%s\t%s\n", a.From, end(a), size(a), Rights(a.Program), Rights(a.Kernel), Plain(a.What))
	}
	return w.Flush()
}

func end(a layout.Area) string {
	if a.To == 0 {
		return ""
	}
	return fmt.Sprintf("%08X", a.To)
}

func size(a layout.Area) string {
	n := a.To - a.From
	switch {
	case a.To == 0:
		return ""
	case n >= 1<<20:
		return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// Rights has a mark for each right, or for its lack.
func Rights(s string) string {
	if s == "" {
		return "---"
	}
	return s
}

// Plain leaves Markdown's marks out.
func Plain(s string) string { return strings.ReplaceAll(s, "`", "") }

// Dimensions of the picture.
const (
	rowHeight = 34
	barLeft   = 110
	barWidth  = 620
	mapWidth  = 960
)

// WriteSVG draws the map, low addresses at the bottom. Areas are equally high: what
// counts is their order, their rights, and the holes between them.
func (m *Map) WriteSVG(w io.Writer) error {
	out := bufio.NewWriter(w)
	height := 40
	for i := range m.Areas {
		height += rowHeight
		if m.hole(i) {
			height += rowHeight / 2
		}
	}
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", mapWidth, height+20)
	fmt.Fprintf(out, `<text x="%d" y="18" font-size="15">Memory map of %s</text><text x="%d" y="18">program</text><text x="%d" y="18">kernel</text>`+"\n", barLeft, escape(m.Title), barLeft+barWidth+20, barLeft+barWidth+90)
	y := 30
	for i := len(m.Areas) - 1; i >= 0; i-- {
		a := m.Areas[i]
		fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s" stroke="#555"/>`+"\n", barLeft, y, barWidth, rowHeight, color(a))
		fmt.Fprintf(out, `<text x="%d" y="%d">%s</text>`+"\n", barLeft+8, y+21, escape(Plain(a.What)))
		fmt.Fprintf(out, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", barLeft+barWidth-8, y+21, size(a))
		fmt.Fprintf(out, `<text x="%d" y="%d" font-family="monospace">%s</text><text x="%d" y="%d" font-family="monospace">%s</text>`+"\n",
			barLeft+barWidth+20, y+21, Rights(a.Program), barLeft+barWidth+90, y+21, Rights(a.Kernel))
		fmt.Fprintf(out, `<text x="%d" y="%d" text-anchor="end" font-family="monospace">%08X</text>`+"\n", barLeft-8, y+rowHeight+4, a.From)
		y += rowHeight
		if m.hole(i) {
			y += rowHeight / 2
			fmt.Fprintf(out, `<text x="%d" y="%d" text-anchor="end" font-family="monospace">%08X</text>`+"\n", barLeft-8, y+4, m.Areas[i-1].To)
		}
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

// hole reports whether there is nothing between an area and the one below it.
func (m *Map) hole(i int) bool {
	return i > 0 && m.Areas[i-1].To != 0 && m.Areas[i-1].To < m.Areas[i].From
}

// color tells who may do what.
func color(a layout.Area) string {
	switch rw := a.Program; {
	case rw == "" && a.Kernel == "":
		return "#eeeeee"
	case rw == "":
		return "#f4c7b8"
	case strings.Contains(rw, "x"):
		return "#bcd6f5"
	case strings.Contains(rw, "w"):
		return "#c5e8c1"
	}
	return "#f7efb5"
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
