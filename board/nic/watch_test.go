package nic

import (
	"slices"
	"testing"
)

func TestWatch(t *testing.T) {
	var w Watch
	up := LinkState{Up: true, Speed: 100}
	var seen []string
	note := func(who string) func(LinkState) {
		return func(s LinkState) {
			if s != w.State() {
				t.Errorf("%s was told %v, the state is %v", who, s, w.State())
			}
			seen = append(seen, who)
		}
	}
	goOn := func() bool { return false }
	want := func(who ...string) {
		t.Helper()
		seen = nil
		w.Tell(goOn)
		if !slices.Equal(seen, who) {
			t.Errorf("told %q, want %q", seen, who)
		}
	}

	w.Tell(goOn) // nobody
	w.Add(note("a"))
	want("a") // a link that is down is news to who has just come
	want()
	w.Set(up)
	w.Add(note("b"))
	want("a", "b")
	want()
	w.Set(LinkState{})
	w.Set(up)
	want() // back to what they know

	w.Add(func(LinkState) { w.Add(note("d")) })
	want("d") // in the same round

	w.Set(LinkState{})
	rest := 1
	seen = nil
	w.Tell(func() bool { rest--; return rest < 0 })
	if !slices.Equal(seen, []string{"a"}) {
		t.Errorf("told %q before the end, want a", seen)
	}
}
