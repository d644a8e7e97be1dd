package boottime

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sample() *Timeline {
	t := &Timeline{Steps: []Step{
		{"kernel", 0, 1_800_000}, {Initialization, 1_800_000, 4_000_000}, {"first <handshake>", 4_000_000, 9_000_000},
	}}
	at := uint64(1_800_000)
	for i := range 20 {
		n := uint64(1000 * (i + 1))
		t.Packages = append(t.Packages, Step{"example.org/p" + string(rune('a'+i)), at, at + n})
		at += n
	}
	return t
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteText(&b, 19_000); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"from instructions",
		"0.00 M 1,800,000 kernel",
		"1.80 M 2,200,000 packages",
		"1.97 M 19,000 example.org/ps",
		"1.99 M 20,000 example.org/pt",
		"4.00 M 5,000,000 first <handshake>",
		"0.00 M 9,000,000 all",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestSVG(t *testing.T) {
	var b, again bytes.Buffer
	l := sample()
	if err := l.WriteSVG(&b, "a boot & more"); err != nil {
		t.Fatal(err)
	}
	svg := b.String()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
	for _, want := range []string{
		"a boot &amp; more", "<title>first &lt;handshake&gt;: 5,000,000 instructions, from 4,000,000</title>",
		">9 M</text>", ">example.org/pt</text>", ">2.20 M</text>",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in:\n%s", want, svg)
		}
	}
	if n := strings.Count(svg, "example.org/p"); n != 2*shownPackages {
		t.Errorf("%d packages are shown, want %d", n/2, shownPackages)
	}
	if strings.Index(svg, ">example.org/pt<") < strings.Index(svg, ">example.org/ps<") {
		t.Error("packages are not in the order in which they are initialized")
	}
	l.WriteSVG(&again, "a boot & more")
	if again.String() != svg {
		t.Error("the same timeline makes another picture")
	}
}

func TestEmpty(t *testing.T) {
	var l Timeline
	if err := errors.Join(l.WriteSVG(io.Discard, ""), l.WriteText(io.Discard, 0)); err != nil || l.Total() != (Step{}) {
		t.Errorf("%v, %+v", err, l.Total())
	}
}

func TestTick(t *testing.T) {
	for _, tt := range []struct{ whole, want uint64 }{{0, 1000}, {9_500, 1000}, {18_300_000, 2_000_000}, {49_000_000, 5_000_000}, {110_000_000, 20_000_000}} {
		if got := tick(tt.whole); got != tt.want {
			t.Errorf("tick(%d) = %d, want %d", tt.whole, got, tt.want)
		}
	}
}

func TestRefuses(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.elf")
	if _, err := Trace(t.Context(), Options{Image: none}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(none, []byte("no ELF"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Trace(t.Context(), Options{Image: none}); err == nil || !strings.Contains(err.Error(), "none.elf") {
		t.Errorf("no ELF file: %v", err)
	}
}

func TestInstructionCount(t *testing.T) {
	m := instructionCount.FindStringSubmatch("Recording execution '/tmp/record': instruction count = 18299429\r\n")
	if m == nil || m[1] != "18299429" {
		t.Errorf("%q", m)
	}
}

// Every step has a name of its own.
func TestBeginnings(t *testing.T) {
	seen := map[string]bool{firstStep: true, Initialization: true}
	for _, b := range beginnings {
		if seen[b.step] {
			t.Errorf("two steps are named %q", b.step)
		}
		seen[b.step] = true
	}
}
