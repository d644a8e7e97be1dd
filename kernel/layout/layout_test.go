package layout

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Areas stand in order and apart, on pages.
func TestAreas(t *testing.T) {
	var end uint64
	for _, a := range Areas {
		if a.From != 0 && a.From < end {
			t.Errorf("%s begins at %#x, before the end of what comes before it, %#x", a.What, a.From, end)
		}
		if a.From%PageSize != 0 || a.To%PageSize != 0 || a.To != 0 && a.To <= a.From {
			t.Errorf("%s: from %#x to %#x", a.What, a.From, a.To)
		}
		if a.Program != "" && strings.Contains(a.Program, "w") && strings.Contains(a.Program, "x") {
			t.Errorf("%s can be written and executed", a.What)
		}
		end = max(end, a.From, a.To)
	}
	if end > 1<<32 {
		t.Errorf("the map ends at %#x", end)
	}
}

// The document shows this map, row by row.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Skip(err)
	}
	_, table, _ := strings.Cut(string(text), "| from | to | what | program | kernel |\n|---|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var want strings.Builder
	for i, a := range Areas {
		if i > 0 {
			want.WriteByte('\n')
		}
		fmt.Fprintf(&want, "| %s | %s | %s | %s | %s |", address(a.From, i == 0), address(a.To, false), a.What, rights(a.Program), rights(a.Kernel))
	}
	if table != want.String() {
		t.Errorf("docs/architecture.md has\n%s\nwant\n%s", table, want.String())
	}
}

func address(a uint64, zero bool) string {
	if a == 0 && !zero {
		return ""
	}
	return fmt.Sprintf("0x%08X", a)
}

func rights(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
