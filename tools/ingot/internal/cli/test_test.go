package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestTestFlags(t *testing.T) {
	for _, c := range []struct {
		args                  string
		forGo, packages, rest string
		streams               bool
	}{
		{args: ""},
		{args: ".", packages: "."},
		{args: "-v -run A|B ./a ./b", forGo: "-v=true -run=A|B", packages: "./a ./b", streams: true},
		{args: "./a -count 2 ./b --short=false", forGo: "-count=2 -short=false", packages: "./a ./b"},
		{args: "-v=false --bench=. a", forGo: "-v=false -bench=.", packages: "a", streams: true},
		{args: "-json -v=test2json", forGo: "-json=true -v=test2json", streams: true},
		{args: "a -args -v b", packages: "a", rest: "-v b"},
		{args: "a -- -v -- b", packages: "a", rest: "-v -- b"},
		{args: "--args"},
		{args: "-timeout 2s -board imx6ulevk -env A=b -env C=d -icount -tags x,y -p 1", forGo: "-timeout=2s -p=1"},
	} {
		f := newTestFlags()
		packages, rest, err := f.parse(strings.Fields(c.args))
		if err != nil || !slices.Equal(packages, strings.Fields(c.packages)) || !slices.Equal(rest, strings.Fields(c.rest)) ||
			!slices.Equal(f.forGo, strings.Fields(c.forGo)) || f.streams != c.streams {
			t.Errorf("%q: go test %q, packages %q, rest %q, streams %v, %v", c.args, f.forGo, packages, rest, f.streams, err)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"a -race b", "-race: the race detector needs a 64-bit processor"},
		{"--race=true", "-race: the race detector"},
		{"-coverprofile c.out", "-coverprofile: coverage is counted in files"},
		{"-memprofile=m", "-memprofile: profiles, traces and artifacts are files"},
		{"-exec x", "-exec: what runs the test binaries is QEMU"},
		{"-c", "-c: test binaries are run here"},
		{"-gcflags=-N", "-gcflags: how an image is built"},
		{"-mine", "not defined: -mine; flags of the tests' own stand behind -args"},
		{"-run", "flag needs an argument: -run"},
		{"-network=perhaps", "invalid boolean value"},
	} {
		if _, _, err := newTestFlags().parse(strings.Fields(c.args)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
}
