package jsonmsg

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestEncode(t *testing.T) {
	type point struct {
		X, Y int
		Z    *int `json:",omitempty"`
	}
	for _, tt := range []struct {
		v    any
		want string
	}{
		{map[string]any{"b": 1, "a": "<&>"}, `{"a":"<&>","b":1}`},
		{point{X: 1}, `{"X":1,"Y":0}`},
		{&point{Y: 2}, `{"X":0,"Y":2}`},
		{[]int{0}, "[0]"},
		{[]int{}, "[]"},
		{map[string]int{}, "{}"},
		{"line\nfeed", `"line\nfeed"`},
		{"\u2028é😀", `"\u2028é😀"`},
		{1.5, "1.5"},
		{true, "true"},
		{json.RawMessage("{\n \"a\": [1,\r\n2] }"), `{"a":[1,2]}`},
		{json.Number("12345678901234567890"), "12345678901234567890"},
		{map[string]any{"error": 1, "password": 2, "authenticated": true}, `{"authenticated":true,"error":1,"password":2}`},
		{map[string]any{"a": map[string]int{"requestId": 1}}, `{"a":{"requestId":1}}`},
	} {
		line, err := encode(tt.v, 1000)
		if err != nil || string(line) != tt.want+"\n" {
			t.Errorf("%v: %q, %v; want %s", tt.v, line, err, tt.want)
		}
		if bytes.Count(line, []byte("\n")) != 1 {
			t.Errorf("%v: more than one line: %q", tt.v, line)
		}
	}
}

// TestEncodeRefuses sends nothing that the receiver would take for something else.
//
//conform:tls-json wire.9 differs tlsio/jsonmsg.ReservedFieldError -- requestId, responseId, __ping and __pong are refused with an error in place of corrupting the protocol; the others are reserved before authentication only, when nothing can be sent
func TestEncodeRefuses(t *testing.T) {
	for _, v := range []any{0, false, nil, "", 0.0, math.Copysign(0, -1), json.RawMessage(nil), (*int)(nil), json.RawMessage("1e-999")} {
		if _, err := encode(v, 1000); !errors.Is(err, ErrFalsy) {
			t.Errorf("%v: %v", v, err)
		}
	}
	for _, key := range []string{"requestId", "responseId", "__ping", "__pong"} {
		for _, value := range []any{1, 0, nil, "x"} {
			_, err := encode(map[string]any{"a": 1, key: value}, 1000)
			if e, ok := errors.AsType[*ReservedFieldError](err); !ok || e.Field != key {
				t.Errorf("%s: %v", key, err)
			}
		}
		if _, err := encode(json.RawMessage(`{"`+key[:2]+`\u00`+hex(key[2])+key[3:]+`":1}`), 1000); !errors.As(err, new(*ReservedFieldError)) {
			t.Errorf("%s, escaped: %v", key, err)
		}
	}
	for _, v := range []any{make(chan int), math.NaN(), json.RawMessage("{"), func() {}} {
		if _, err := encode(v, 1000); err == nil {
			t.Errorf("%T: no error", v)
		}
	}
	for _, v := range []any{strings.Repeat("x", 99), json.Number(strings.Repeat("1", 65))} {
		if _, err := encode(v, 100); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%.10v...: %v", v, err)
		}
	}
	if _, err := encode(strings.Repeat("x", 98), 100); err != nil {
		t.Errorf("100 bytes: %v", err)
	}
	for _, v := range []any{1, "x", []int{1}, true} {
		if _, err := encodeWith(v, keyResponse, []byte("1"), 1000); !errors.Is(err, ErrNotObject) {
			t.Errorf("answer %v: %v", v, err)
		}
	}
	if _, err := encodeWith(map[string]string{"a": strings.Repeat("x", 80)}, keyResponse, []byte("1"), 100); !errors.Is(err, ErrTooLarge) {
		t.Errorf("answer too large with its id: %v", err)
	}
}

func hex(b byte) string { return string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15]) }

func TestEncodeWith(t *testing.T) {
	for v, want := range map[string]string{`{}`: `{"responseId":7}`, `{"a":1}`: `{"a":1,"responseId":7}`} {
		line, err := encodeWith(json.RawMessage(v), keyResponse, []byte("7"), len(want))
		if err != nil || string(line) != want+"\n" {
			t.Errorf("%s: %q, %v", v, line, err)
		}
	}
}

// TestPieces checks what the npm reader needs, for any length of a line and any
// size of records.
//
//conform:tls-json wire.7 works tlsio/jsonmsg.Server.Send, tlsio/jsonmsg.Client.Send
func TestPieces(t *testing.T) {
	for n := 3; n < 40000; n += 1 + n/300 {
		line := bytes.Repeat([]byte("x"), n)
		line[n-2], line[n-1] = '}', '\n'
		for _, record := range []int{oneRecord, 512, 1187, 4096, 16384} {
			var sent []byte
			var records [][]byte
			pieces(line, func(p []byte) error {
				if len(p) > pieceSize {
					t.Fatalf("%d bytes in one piece", len(p))
				}
				sent = append(sent, p...)
				for len(p) > 0 { // as crypto/tls cuts a Write
					k := min(len(p), record)
					records = append(records, p[:k])
					p = p[k:]
				}
				return nil
			})
			if !bytes.Equal(sent, line) {
				t.Fatalf("%d bytes: other bytes were sent", n)
			}
			if last := records[len(records)-1]; len(last) < 2 {
				t.Fatalf("%d bytes in records of %d: the last has %d", n, record, len(last))
			}
		}
	}
	stop := errors.New("stop")
	calls := 0
	if err := pieces(make([]byte, 50000), func([]byte) error { calls++; return stop }); err != stop || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// FuzzRoundTrip sends values as requests and takes them apart again.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte(`{"a":1}`), uint64(1))
	f.Add([]byte(`{"\u0061":[{},[],"\\"]}`), uint64(1<<53-1))
	f.Fuzz(func(t *testing.T, text []byte, id uint64) {
		id = max(1, id%(1<<53))
		line, err := encodeWith(json.RawMessage(text), keyRequest, uintText(id), 1<<20)
		if err != nil {
			return
		}
		plain, err := encode(json.RawMessage(text), 1<<20)
		if err != nil {
			t.Fatalf("%q with an id, but not without: %v", text, err)
		}
		plain = bytes.ToValidUTF8(plain, []byte("\uFFFD"))
		in := classify(line[:len(line)-1], serverOpen)
		if in.kind != request || number(in.id) != id || !bytes.Equal(in.body, plain[:len(plain)-1]) {
			t.Fatalf("%q: %v %s %q", text, in.kind, in.id, in.body)
		}
	})
}

func TestDecode(t *testing.T) {
	if v, err := Decode[[]int](json.RawMessage("[1,2]"), nil); err != nil || len(v) != 2 {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := Decode[int](json.RawMessage("{}"), nil); err == nil {
		t.Error("no error for the wrong type")
	}
	if _, err := Decode[int](nil, ErrRequestTimeout); err != ErrRequestTimeout {
		t.Errorf("the request's error became %v", err)
	}
}
