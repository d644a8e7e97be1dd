package tlsio

import "sync/atomic"

// targeted is the part of a class that holds its user's value.
type targeted struct {
	target atomic.Pointer[any]
}

// Target returns the value given as option Target or set since. It works on closed
// instances too.
func (t *targeted) Target() any {
	if p := t.target.Load(); p != nil {
		return *p
	}
	return nil
}

// SetTarget replaces the value that Target returns.
func (t *targeted) SetTarget(v any) { t.target.Store(&v) }
