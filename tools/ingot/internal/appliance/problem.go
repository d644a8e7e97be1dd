package appliance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrConfig is what the errors about a configuration file wrap.
var ErrConfig = errors.New("the configuration can't be used")

// A Problem is one thing that is wrong with a configuration file.
type Problem struct {
	File         string
	Line, Column int    // from 1; the column counts bytes
	What         string // what is wrong
	Fix          string // how to mend it
}

// Error has the form that compilers use, which editors know how to follow.
func (p *Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s; %s", p.File, p.Line, p.Column, p.What, p.Fix)
}

// Problems are all that is wrong with a file, in the order of their places in it.
type Problems []*Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is find ErrConfig.
func (p Problems) Unwrap() error { return ErrConfig }

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b *Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}
