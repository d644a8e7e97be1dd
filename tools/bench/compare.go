package bench

import (
	"errors"
	"fmt"
	"strings"
)

// Tolerance is by how much an instruction count may exceed or fall below its
// baseline: what interrupts and garbage collections at other moments make.
const Tolerance = 0.02

// ErrChanged says that instruction counts left their tolerance.
var ErrChanged = errors.New("instruction counts changed")

// Compare compares a result's instruction counts with a baseline's and describes
// every one that differs, slower or faster: a gain that nobody noted is a loss
// that nobody will see. What only one of them has is not compared, unless the
// result lacks it.
//
// Of a layer, the difference is compared with the cost of the whole, since it comes from
// samples; those of a quick run are too few.
//
// The error wraps ErrChanged.
func Compare(result, baseline *Result) error {
	var changes []string
	compared := 0
	for _, old := range baseline.Metrics {
		if old.Unit != unitInstructions && old.Unit != unitInstructionsPerByte || old.Value == 0 {
			continue
		}
		whole, ofWhole := wholeID(old.ID)
		if ofWhole && (result.Quick || baseline.Quick) {
			continue
		}
		m, ok := result.Metric(old.ID)
		if !ok && ofWhole { // a layer that has no sample any more
			_, ok = result.Metric(whole)
			m = Metric{Title: old.Title}
		}
		if !ok {
			changes = append(changes, fmt.Sprintf("%s: was not measured", old.Title))
			continue
		}
		compared++
		reference := old.Value
		if all, ok := baseline.Metric(whole); ofWhole && ok {
			reference = all.Value
		}
		if d := (m.Value - old.Value) / reference; d > Tolerance || d < -Tolerance {
			changes = append(changes, fmt.Sprintf("%s: %s, baseline %s (%+.1f %%)", m.Title, number(m.Value), number(old.Value), 100*(m.Value/old.Value-1)))
		}
	}
	if len(changes) > 0 {
		return fmt.Errorf("%w by more than %g %%:\n\t%s", ErrChanged, 100*Tolerance, strings.Join(changes, "\n\t"))
	}
	if compared == 0 {
		return errors.New("the baseline has no instruction counts")
	}
	return nil
}
