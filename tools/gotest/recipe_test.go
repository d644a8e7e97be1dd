package main

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseRecipe(t *testing.T) {
	for _, c := range []struct {
		src  string
		want recipe
	}{
		{"// run\n\npackage main\n", recipe{action: "run"}},
		{"//run", recipe{action: "run"}},
		{"\n\n// run\n", recipe{action: "run"}},
		{"//go:build linux\n// run\n", recipe{action: "run"}},
		{"// +build linux\n\n// run\n", recipe{action: "run"}},
		{"// run arg1 arg2\n", recipe{action: "run", args: []string{"arg1", "arg2"}}},
		{"// run cmplxdivide1.go\n", recipe{action: "run", args: []string{"cmplxdivide1.go"}}},
		{"// run -gcflags=\"-l -m\" x -y\n", recipe{action: "run", flags: []string{"-gcflags=-l -m"}, args: []string{"x", "-y"}}},
		{"// run -gcflags -l=4\n", recipe{action: "run", flags: []string{"-gcflags", "-l=4"}}},
		{"// run -t 30 -godebug a=1 -godebug b=2\n", recipe{action: "run", limit: 30 * time.Second, godebug: "a=1,b=2"}},
		{"// run -goexperiment fieldtrack\n", recipe{action: "run", goexperiment: "fieldtrack"}},
		{"// rundir -s\n", recipe{action: "rundir", onePerFile: true}},
		{"// runindir -gomodversion 1.21\n", recipe{action: "runindir"}},
		{"// runoutput ./rotate.go\n", recipe{action: "runoutput", args: []string{"./rotate.go"}}},
		{"// errorcheckandrundir -1 -d=x\n", recipe{action: "errorcheckandrundir", lastButOneFails: true, flags: []string{"-d=x"}}},
		{"// errorcheckandrundir -1 -0\n", recipe{action: "errorcheckandrundir"}},
		{"// buildrundir\r\n", recipe{action: "buildrundir"}},
		{"// buildrun -t 1 x.go\n", recipe{action: "buildrun", limit: time.Second, args: []string{"x.go"}}},
	} {
		got, runs, err := parseRecipe(c.src)
		if err != nil || !runs {
			t.Errorf("%q: runs %v, error %v", c.src, runs, err)
			continue
		}
		if len(got.args) == 0 {
			got.args = nil
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q:\n%+v, want\n%+v", c.src, got, c.want)
		}
	}
}

func TestParseRecipeThatRunsNothing(t *testing.T) {
	for _, src := range []string{
		"// errorcheck -m\n", "// compile\n", "// skip\n", "// build\n", "// compiledir\n", "// asmcheck\n",
		"// errorcheckoutput\n", "// runaway\n", "package main\n",
		`// errorcheck -d "unfinished` + "\n", // not ours to judge
		"// $G $D/$F.go && echo run\n",
	} {
		if r, runs, err := parseRecipe(src); runs || err != nil {
			t.Errorf("%q: %+v, runs %v, error %v", src, r, runs, err)
		}
	}
}

func TestParseRecipeErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", errNoRecipe.Error()},
		{"//go:build linux\n", errNoRecipe.Error()},
		{"// run -t\n", "-t without a value"},
		{"// run -t soon\n", "not a number of seconds"},
		{"// run -t -3\n", "not a number of seconds"},
		{"// run -godebug\n", "-godebug without a value"},
		{`// run "x` + "\n", "unfinished quotation"},
	} {
		if r, _, err := parseRecipe(c.src); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %+v, error %v; want %q", c.src, r, err, c.want)
		}
	}
	if _, _, err := parseRecipe("//\n\n"); !errors.Is(err, errNoRecipe) {
		t.Errorf("empty comments: %v", err)
	}
}

func TestSplitQuoted(t *testing.T) {
	for _, c := range []struct {
		s    string
		want []string
	}{
		{"", nil},
		{" \t ", nil},
		{"a  b\tc ", []string{"a", "b", "c"}},
		{`a "b c" d`, []string{"a", "b c", "d"}},
		{`x="b c"d`, []string{"x=b cd"}},
		{`""`, []string{""}},
		{`a\ b "\"q\""`, []string{"a b", `"q"`}},
		{"ä “ö”", []string{"ä", "“ö”"}},
	} {
		if got, err := splitQuoted(c.s); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v; want %q", c.s, got, err, c.want)
		}
	}
	for _, s := range []string{`"`, `a "b`, `a\`, `"a\"`} {
		if got, err := splitQuoted(s); err == nil {
			t.Errorf("%q: %q, want an error", s, got)
		}
	}
}

func FuzzParseRecipe(f *testing.F) {
	f.Add("// run -t 30 -gcflags=\"-l\" a b\n")
	f.Add("//go:build linux\n// rundir -s\n")
	f.Add("// run \"\n")
	f.Fuzz(func(t *testing.T, src string) {
		r, runs, err := parseRecipe(src)
		if err == nil && runs && !slices.Contains(runActions, r.action) {
			t.Errorf("%q: runs %q", src, r.action)
		}
		if len(r.args) > 0 && strings.HasPrefix(r.args[0], "-") {
			t.Errorf("%q: a flag among the arguments %q", src, r.args)
		}
	})
}

func testTag(name string) bool {
	return slices.Contains([]string{"linux", "arm", "gc", "go1.26"}, name)
}

func TestExcludedBy(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"// run\npackage main\n", ""},
		{"// run\n\n//go:build linux && gc\n\npackage main\n", ""},
		{"//go:build !arm\n// run\n", "//go:build !arm"},
		{"// run\r\n//go:build !arm\r\n", "//go:build !arm"},
		{"// +build amd64 arm\n", ""},
		{"// +build amd64\n", "// +build amd64"},
		{"//go:build go1.26\n", ""},
		{"//go:build go1.99\n", "//go:build go1.99"},
		{"//go:build cgo\n", "//go:build cgo"},
		{"//go:build goexperiment.x\n", "//go:build goexperiment.x"},
		{"package main\n//go:build !arm\n", ""},
	} {
		if got := excludedBy(c.src, testTag); got != c.want {
			t.Errorf("%q: %q, want %q", c.src, got, c.want)
		}
	}
}

func TestCompilerFlags(t *testing.T) {
	for _, c := range []struct{ flags, want []string }{
		{nil, nil},
		{[]string{"-gcflags=-l=4"}, []string{"-l=4"}},
		{[]string{"-gcflags", "-l -m"}, []string{"-l", "-m"}},
		{[]string{"-gcflags="}, nil},
		{[]string{"--gcflags=-l", "-gcflags=-d=x=y"}, []string{"-l", "-d=x=y"}},
	} {
		if got, err := compilerFlags(c.flags); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v; want %q", c.flags, got, err, c.want)
		}
	}
	for _, flags := range [][]string{{"-race"}, {"-gcflags"}, {"-gcflags=all=-l"}, {"-ldflags=-s"}} {
		if got, err := compilerFlags(flags); err == nil {
			t.Errorf("%q: %q, want an error", flags, got)
		}
	}
}
