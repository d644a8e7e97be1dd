package main

import (
	"errors"
	"strings"
	"testing"
)

const story = `{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"a","Test":"TestGood/sub","Output":"quiet\n"}
{"Action":"pass","Package":"a","Test":"TestGood/sub","Elapsed":0}
{"Action":"pass","Package":"a","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"a","Test":"TestSkips","Output":"=== RUN   TestSkips\n"}
{"Action":"output","Package":"a","Test":"TestSkips","Output":"    x_test.go:3: needs files\n"}
{"Action":"skip","Package":"a","Test":"TestSkips","Elapsed":0}
{"Action":"output","Package":"b","Test":"TestBad","Output":"    x_test.go:4: it is bad\n"}
{"Action":"fail","Package":"b","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"b","Test":"TestDies","Output":"fatal error\n"}
{"Action":"output","Package":"b","Output":"exit status 2\n"}
{"Action":"fail","Package":"b","Elapsed":1.5}
{"Action":"pass","Package":"a","Elapsed":2}
{"ImportPath":"c","Action":"build-output","Output":"undefined: x\n"}
`

func TestRead(t *testing.T) {
	var out strings.Builder
	results, err := read(strings.NewReader(story), false, &out)
	if err != nil {
		t.Fatal(err)
	}
	a, b := results["a"], results["b"]
	if a == nil || a.passed != 1 || a.failed != 0 || a.ended != "pass" || strings.Join(a.skipped, ",") != "TestSkips (x_test.go:3: needs files)" {
		t.Errorf("a: %+v", a)
	}
	if b == nil || b.passed != 0 || b.failed != 1 || b.ended != "fail" {
		t.Errorf("b: %+v", b)
	}
	want := "    x_test.go:4: it is bad\nexit status 2\nfatal error\nfail b (2 s): 0 passed, 1 failed, 0 skipped\npass a (2 s): 1 passed, 0 failed, 1 skipped\nundefined: x\n"
	if out.String() != want {
		t.Errorf("printed:\n%s\nwant:\n%s", out.String(), want)
	}
}

// TestJudge has one package of each kind.
func TestJudge(t *testing.T) {
	old := suites
	defer func() { suites = old }()
	for _, c := range []struct {
		share, written int
		r              *result
		want           string
	}{
		{80, 10, &result{passed: 8, skipped: []string{"A", "B"}, ended: "pass"}, ""},
		{80, 9, &result{passed: 7, skipped: []string{"A", "B (no files)"}, ended: "pass"}, "only 7 of 9 tests ran, want 80 % at least; skipped:\n\tA\n\tB (no files)\n"},
		{0, 0, &result{ended: "pass"}, "only 0 of 0"},
		{80, 11, &result{passed: 8, ended: "pass"}, "only 8 of 11"},
		{80, 8, &result{passed: 8, ended: "fail"}, "did not pass"},
		{80, 8, &result{passed: 8}, "did not pass"},
		{80, 8, nil, "did not pass"},
	} {
		suites = []suite{{"p", c.share}}
		var out strings.Builder
		err := judge(map[string]*result{"p": c.r}, map[string]int{"p": c.written}, &out)
		if errors.Is(err, errFailed) != (c.want != "") || !strings.Contains(out.String(), c.want) {
			t.Errorf("%+v: %v, %q; want %q", c.r, err, out.String(), c.want)
		}
	}
}

func TestCount(t *testing.T) {
	n, err := count(t.Context(), []string{"ingot.dev/qemu/suites", "ingot.dev/board"})
	if err != nil || n["ingot.dev/qemu/suites"] != 3 || n["ingot.dev/board"] != 0 {
		t.Errorf("%v, %v", n, err)
	}
}
