package jsonmsg

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// TestSecret compares passwords as JSON values of any kind.
//
//conform:tls-json weakness.compare works tlsio/jsonmsg.ServerOptions.Password -- SHA-256 sums are compared, with crypto/subtle; the test shows which passwords are equal, not how long it takes
func TestSecret(t *testing.T) {
	type pair struct {
		B string `json:"b"`
		A int    `json:"a"`
	}
	for _, tt := range []struct {
		password any
		equal    []string
		other    []string
	}{
		{"kitty", []string{`"kitty"`, `"k\u0069tty"`}, []string{`"Kitty"`, `"kitty "`, `""`, `["kitty"]`, "null", "true"}},
		{"é\n\"<", []string{`"é\n\"<"`, `"\u00e9\u000a\"\u003c"`}, []string{`"e\n\"<"`}},
		{1, []string{"1", "1.0", "1e0", "10e-1"}, []string{`"1"`, "true", "2", "[1]", "1e400", "1.0000000000000003"}},
		{0, []string{"0", "-0", "0e9"}, []string{"false", "null", `""`}},
		{math.Copysign(0, -1), []string{"0", "-0"}, []string{"1"}},
		{true, []string{"true"}, []string{"1", `"true"`, "false"}},
		{false, []string{"false"}, []string{"0", "null"}},
		{json.RawMessage("null"), []string{"null"}, []string{"0", `""`, "false"}},
		{[]any{1, "x"}, []string{`[1,"x"]`, ` [ 1.0 , "x" ]`}, []string{`["x",1]`, "[1]", `[1,"x",1]`}},
		{pair{"x", 1}, []string{`{"a":1,"b":"x"}`, `{"b":"x","a":1}`, `{"a":2,"b":"x","a":1}`}, []string{`{"a":1}`, `{"a":1,"b":"x","c":1}`}},
		{[]any{[]any{-0.0}}, []string{"[[-0]]"}, []string{"[0]"}},
	} {
		s, err := newSecret(tt.password)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range tt.equal {
			if !s.matches([]byte(text)) {
				t.Errorf("%v: %s is wrong", tt.password, text)
			}
		}
		for _, text := range tt.other {
			if s.matches([]byte(text)) {
				t.Errorf("%v: %s is right", tt.password, text)
			}
		}
		if s.matches(nil) {
			t.Errorf("%v: no password is right", tt.password)
		}
	}
	none, err := newSecret(nil)
	if err != nil || !none.matches(nil) || none.matches([]byte("null")) || none.matches([]byte(`""`)) || none.matches([]byte("1e400")) {
		t.Errorf("no password: %v", err)
	}
	deep := strings.Repeat("[", 9999) + strings.Repeat("]", 9999)
	if s, _ := newSecret("x"); s.matches([]byte(deep)) {
		t.Error("deep nesting is right")
	}
}

func TestSecretRefuses(t *testing.T) {
	for _, p := range []any{make(chan int), "\xff", "a\uFFFD", json.RawMessage("{"), json.RawMessage(`"\ud800"`), math.NaN(), json.Number("1e400")} {
		if _, err := newSecret(p); err == nil {
			t.Errorf("%v: no error", p)
		}
	}
}
