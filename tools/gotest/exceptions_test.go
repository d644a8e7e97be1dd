package main

import (
	"maps"
	"strings"
	"testing"
)

func TestParseExceptions(t *testing.T) {
	got, err := parseExceptions("# comment: not one\n\n a.go : needs x: y\nchan/b.go:z")
	want := map[string]string{"a.go": "needs x: y", "chan/b.go": "z"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, c := range []struct{ text, want string }{
		{"a.go: x\nb.go\n", "line 2"},
		{"a.go:\n", "line 1"},
		{": x\n", "line 1"},
		{"a.go: x\n\na.go: y\n", "line 3: a.go is there twice"},
	} {
		if got, err := parseExceptions(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, error %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestCheckExceptions(t *testing.T) {
	programs := []program{{name: "a.go"}, {name: "b.go", excluded: "//go:build wasm"}}
	if err := checkExceptions(map[string]string{"a.go": "x"}, programs); err != nil {
		t.Error(err)
	}
	err := checkExceptions(map[string]string{"a.go": "x", "b.go": "x", "c.go": "x"}, programs)
	if err == nil || err.Error() != "exception b.go is not for the target anyway: //go:build wasm\nexception c.go names no program that is run" {
		t.Errorf("%v", err)
	}
}

// The committed list, as far as it can be judged without running anything.
func TestExceptions(t *testing.T) {
	exceptions, err := parseExceptions(exceptionsText)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	tc := newTestToolchain(t, ctx)
	root, err := testDirectory("", tc)
	if err != nil {
		t.Skip(err)
	}
	programs, err := findPrograms(root, tc.tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkExceptions(exceptions, programs); err != nil {
		t.Error(err)
	}
}
