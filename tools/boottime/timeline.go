package boottime

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// A Step is what is done between two moments: numbers of instructions since reset.
type Step struct {
	Name     string
	From, To uint64
}

// Instructions is how many it took.
func (s Step) Instructions() uint64 { return s.To - s.From }

// A Timeline is a boot: its steps in order, each beginning where the one before ends.
// Packages are the parts of the step named Initialization.
type Timeline struct {
	Steps    []Step
	Packages []Step
}

// Initialization is the step in which packages are initialized.
const Initialization = "packages"

// Total is the whole, as one step.
func (t *Timeline) Total() Step {
	if len(t.Steps) == 0 {
		return Step{}
	}
	return Step{"all", t.Steps[0].From, t.Steps[len(t.Steps)-1].To}
}

// WriteText prints the timeline as a table, with those packages that take at least that
// many instructions.
func (t *Timeline) WriteText(w io.Writer, least uint64) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "from\tinstructions\t")
	row := func(s Step, indent string) {
		fmt.Fprintf(table, "%s\t%s\t  %s%s\n", millions(s.From), grouped(s.Instructions()), indent, s.Name)
	}
	for _, s := range t.Steps {
		row(s, "")
		if s.Name == Initialization {
			for _, p := range t.Packages {
				if p.Instructions() >= least {
					row(p, "  ")
				}
			}
		}
	}
	row(t.Total(), "")
	return table.Flush()
}

func millions(n uint64) string { return fmt.Sprintf("%.2f M", float64(n)/1e6) }

// grouped writes a number with its digits in groups.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
