package problems

import (
	"errors"
	"time"

	"ingot.dev/tlsio"
)

// Off is a timeout's value that switches it off.
const Off time.Duration = -1

// List is what was found. Its zero value is ready.
type List []error

// Add notes an option, by its Go name, with what would be accepted.
func (l *List) Add(option string, value any, fix string) {
	*l = append(*l, &tlsio.OptionError{Option: option, Value: value, Fix: fix})
}

// AddAll takes over what another package says about options below prefix.
func (l *List) AddAll(prefix string, err error) {
	l.AddRenamed(err, func(option string) string { return prefix + option })
}

// AddRenamed takes over what another package says about its options; name says what
// they are called here.
func (l *List) AddRenamed(err error, name func(string) string) {
	if err == nil {
		return
	}
	parts := []error{err}
	if e, ok := errors.AsType[*tlsio.Error](err); ok {
		parts = []error{e.Err}
		if joined, ok := e.Err.(interface{ Unwrap() []error }); ok {
			parts = joined.Unwrap()
		}
	}
	for _, part := range parts {
		if o, ok := part.(*tlsio.OptionError); ok {
			part = &tlsio.OptionError{Option: name(o.Option), Value: o.Value, Fix: o.Fix}
		}
		*l = append(*l, part)
	}
}

// Err returns a *tlsio.Error of StageOptions that joins what was added, each of it a
// *tlsio.OptionError; nil if that is nothing.
func (l List) Err(op string) error {
	if len(l) == 0 {
		return nil
	}
	return &tlsio.Error{Op: op, Stage: tlsio.StageOptions, Err: errors.Join(l...)}
}

// Duration returns the time that an option stands for, 0 for none.
func (l *List) Duration(option string, d, byDefault time.Duration) time.Duration {
	switch {
	case d == 0:
		return byDefault
	case d == Off:
		return 0
	case d < 0:
		l.Add(option, d, "use a positive duration, 0 for the default, or Off")
	}
	return d
}
