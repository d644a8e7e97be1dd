package profile

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
)

// Dimensions of the picture, in SVG's user units.
const (
	flameWidth  = 1200.0
	frameHeight = 16.0
	legendTop   = 25.0
	charWidth   = 6.6

	// Frames that are narrower are not drawn: nobody could point at them, and there
	// are thousands.
	narrowest = 0.3
)

// A node is a function called along one path.
type node struct {
	name     string
	count    int64
	children []*node
	layer    Layer // of what is innermost in it, for the most part
	by       map[Layer]int64
}

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	c := &node{name: name, by: make(map[Layer]int64)}
	n.children = append(n.children, c)
	return c
}

// tree merges the stacks.
func (p *Profile) tree() *node {
	root := &node{name: "all", by: make(map[Layer]int64)}
	for _, s := range p.stacks {
		layer := layerOf(s.frames)
		at := root
		at.count += s.count
		at.by[layer] += s.count
		for _, f := range s.frames {
			at = at.child(f)
			at.count += s.count
			at.by[layer] += s.count
		}
	}
	root.finish()
	return root
}

// finish orders what maps and merging have left in no order.
func (n *node) finish() {
	for _, l := range Layers() {
		if n.layer == "" || n.by[l] > n.by[n.layer] {
			n.layer = l
		}
	}
	slices.SortFunc(n.children, func(a, b *node) int { return cmp.Compare(a.name, b.name) })
	for _, c := range n.children {
		c.finish()
	}
}

func (n *node) depth() int {
	d := 0
	for _, c := range n.children {
		d = max(d, c.depth())
	}
	return d + 1
}

// WriteFlameGraph draws the profile (Gregg, "The Flame Graph", 2016): a box for each
// function on each path that was taken to it, as wide as the time spent in it and below
// it, callers under those whom they call. Colours are those of layers. Pointing at a box
// tells its numbers; a click on it makes it as wide as the picture, a click on the
// lowest one shows all again. The file needs nothing beside it.
func (p *Profile) WriteFlameGraph(w io.Writer, title string) error {
	root := p.tree()
	legend, legendHeight := p.legend()
	out := bufio.NewWriter(w)
	height := legendTop + legendHeight + float64(root.depth())*frameHeight + 6
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="monospace" font-size="11">`+"\n", flameWidth, height)
	fmt.Fprintln(out, `<style>g.f{cursor:pointer}g.f:hover rect{stroke:black}text{pointer-events:none}</style>`)
	fmt.Fprintf(out, `<text x="4" y="16" font-size="15" font-family="sans-serif">%s</text>`+"\n", escape(fmt.Sprintf("%s: %d samples", title, p.total)))
	out.WriteString(legend)
	p.drawNode(out, root, 0, 0, height)
	fmt.Fprintf(out, "<script><![CDATA[%s]]></script>\n</svg>\n", zoomScript)
	return out.Flush()
}

// legend is the layers with their shares, in as many rows as it takes.
func (p *Profile) legend() (svg string, height float64) {
	var b strings.Builder
	x, y := 4.0, legendTop
	shares := p.Layers()
	for _, l := range Layers() {
		if shares[l] < 0.0005 {
			continue
		}
		text := fmt.Sprintf("%s %.1f %%", l, 100*shares[l])
		width := 13 + 6.1*float64(len(text)) + 9
		if x+width > flameWidth {
			x, y = 4, y+frameHeight
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%g" width="10" height="10" fill="%s"/><text x="%.1f" y="%g" font-size="10">%s</text>`+"\n", x, y, colorOf(string(l), l), x+13, y+9, escape(text))
		x += width
	}
	return b.String(), y - legendTop + frameHeight + 3
}

func (p *Profile) drawNode(out io.Writer, n *node, start int64, depth int, height float64) {
	scale := flameWidth / float64(p.total)
	x, width := float64(start)*scale, float64(n.count)*scale
	if width < narrowest {
		return
	}
	y := height - 6 - float64(depth+1)*frameHeight
	fmt.Fprintf(out, `<g class="f" data-x="%.2f" data-w="%.2f" data-n="%s"><title>%s</title><rect x="%.2f" y="%.1f" width="%.2f" height="%.1f" fill="%s" rx="1"/><text x="%.2f" y="%.1f">%s</text></g>`+"\n",
		x, width, escape(shortName(n.name)),
		escape(fmt.Sprintf("%s: %.2f %% (%d samples)", n.name, 100*float64(n.count)/float64(p.total), n.count)),
		x, y, max(width-0.5, 0.2), frameHeight-1, colorOf(n.name, n.layer), x+3, y+11.5, escape(fit(shortName(n.name), width)))
	for _, c := range n.children {
		p.drawNode(out, c, start, depth+1, height)
		start += c.count
	}
}

// shortName leaves out the path of a function's package.
func shortName(function string) string {
	head, _, _ := strings.Cut(function, "[")
	return function[strings.LastIndexByte(head, '/')+1:]
}

// fit cuts a text to a width; the script does the same.
func fit(text string, width float64) string {
	n := int((width - 4) / charWidth)
	switch {
	case n < 3:
		return ""
	case len(text) > n:
		return text[:n-1] + "…"
	}
	return text
}

// hues of layers.
var hues = map[Layer]uint32{
	Driver: 20, Kernel: 0, Netstack: 210, TLS: 145, Cipher: 120, PublicKeys: 95, Hashes: 75, Certificates: 170,
	Network: 235, Program: 330, Scheduling: 265, Allocation: 285, Collection: 305, Atomics: 45, Other: 55,
}

// colorOf is the layer's, a bit lighter or darker by the name, so that boxes beside
// each other can be told apart.
func colorOf(name string, layer Layer) string {
	h := fnv.New32a()
	io.WriteString(h, name)
	return fmt.Sprintf("hsl(%d,60%%,%d%%)", hues[layer], 68+h.Sum32()%14)
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

// zoomScript makes a box as wide as the picture: those outside it disappear, those that
// hold it become as wide as it.
const zoomScript = `
const all=[...document.querySelectorAll("g.f")],W=1200,C=6.6;
const num=(g,k)=>parseFloat(g.dataset[k]);
function show(X,Z){for(const g of all){
  const x=num(g,"x"),w=num(g,"w"),l=Math.max(0,(x-X)*W/Z),r=Math.min(W,(x+w-X)*W/Z);
  g.style.display=r-l<0.3?"none":"";
  const b=g.querySelector("rect"),t=g.querySelector("text");
  b.setAttribute("x",l);b.setAttribute("width",Math.max(r-l-0.5,0.2));t.setAttribute("x",l+3);
  const n=Math.floor((r-l-4)/C),s=g.dataset.n;
  t.textContent=n<3?"":s.length>n?s.slice(0,n-1)+"\u2026":s;
}}
for(const g of all)g.addEventListener("click",()=>show(num(g,"x"),num(g,"w")));
`
