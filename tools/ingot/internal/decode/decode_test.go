package decode

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// The test binary is a Go program like any other.
func open(t *testing.T) *Table {
	t.Helper()
	file, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	table, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestFind(t *testing.T) {
	table := open(t)
	here := uint64(reflect.ValueOf(TestFind).Pointer())
	p, ok := table.Find(here)
	if !ok || p.Function != "ingot.dev/tools/ingot/internal/decode.TestFind" || !strings.HasSuffix(p.File, "decode_test.go") || p.Line == 0 || p.Offset != 0 {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, pc := range []uint64{0, table.start - 1, table.end, 1 << 63} {
		if p, ok := table.Find(pc); ok {
			t.Errorf("%#x is %v", pc, p)
		}
	}
}

func TestExplain(t *testing.T) {
	table := open(t)
	here := fmt.Sprintf("%#x", reflect.ValueOf(TestExplain).Pointer())
	const name = "decode.TestExplain\n"
	for _, c := range []struct {
		line string
		want []string // what the notes contain, one each
	}{
		{"[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=" + here + "]", []string{"pc " + here + " is ingot.dev/tools/ingot/internal/" + name}},
		{"PC=" + here + " m=0 sigcode=0", []string{name}},
		{"pc      " + here, []string{name}},
		{"runtime: g 1: unexpected return pc for main.f called from " + here, []string{name}},
		{"[signal SIGSEGV: segmentation violation code=0x1 addr=0x4 pc=0x4]", []string{"no code of the image"}},
		{"ingot: killed by signal 4, pc " + here + ", address 0x00000000", []string{"signal 4 is SIGILL", name}},
		{"ingot: killed by signal 99, pc 0x00000000, address 0x00000000", nil},
		{"ingot: kernel bug: exception 1 at " + here + ", status 0x00000000, address 0x00000000, sp 0xfffd4f00, lr " + here, []string{"undefined instruction", "at " + here, "lr " + here}},
		{"\t/x/main.go:3 +0x4 fp=0x1 sp=0x1 pc=" + here, nil}, // has its name already
		{"the program's own pc=" + here, nil},
		{"", nil},
		{"pc      0xffffffffffffffffffff", nil},
	} {
		got := table.Explain(c.line)
		if len(got) != len(c.want) {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%q: %q, want %q", c.line, got[i], c.want[i])
			}
		}
	}
	var none *Table
	if got := none.Explain("pc      " + here); got != nil {
		t.Errorf("without an image: %q", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open("decode_test.go"); err == nil {
		t.Error("a text was accepted")
	}
	if _, err := os.Stat("/bin/true"); err == nil {
		if _, err := Open("/bin/true"); !errors.Is(err, ErrNotGo) {
			t.Errorf("a program in C: %v", err)
		}
	}
}
