package jsonmsg

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestClassify is the protocol's table: what each line means to whom.
//
//conform:tls-json wire.3 works tlsio/jsonmsg.ClientOptions.OnMessage
//conform:tls-json wire.4 works tlsio/jsonmsg.Server, tlsio/jsonmsg.Client
//conform:tls-json wire.8 differs tlsio/jsonmsg.Limits.MaxMessage -- framed by LF alone: an incomplete number is never taken for a message; unparsable lines are skipped, and also counted and reported once
func TestClassify(t *testing.T) {
	const sw, so, cw, co = serverWaits, serverOpen, clientWaits, clientOpen
	all := []phase{sw, so, cw, co}
	open := []phase{so, co}
	tests := []struct {
		phases []phase
		line   string
		kind   kind
		body   string
		id     string
	}{
		// White space, CR among it, around any value; nothing is no line.
		{all, "", blank, "", ""},
		{all, " \t\r", blank, "", ""},
		{open, " \t{\"a\":1} \r", message, `{"a":1}`, ""},

		// Not JSON.
		{all, "{", unparsable, "", ""},
		{all, "hello", unparsable, "", ""},
		{all, `{"a":1}{"b":2}`, unparsable, "", ""},
		{all, `{'a':1}`, unparsable, "", ""},
		{all, `{"a":1,}`, unparsable, "", ""},
		{all, `"` + "\x01" + `"`, unparsable, "", ""},
		{all, "NaN", unparsable, "", ""},
		{all, "01", unparsable, "", ""},
		{all, "\ufeff{}", unparsable, "", ""},
		{all, strings.Repeat("[", 100000) + strings.Repeat("]", 100000), unparsable, "", ""},

		// What JavaScript takes for false.
		{all, "0", dropped, "", ""},
		{all, "-0", dropped, "", ""},
		{all, "0.0e7", dropped, "", ""},
		{all, "1e-400", dropped, "", ""},
		{all, "false", dropped, "", ""},
		{all, "null", dropped, "", ""},
		{all, `""`, dropped, "", ""},

		// Values of other kinds are messages.
		{open, "1", message, "1", ""},
		{open, "-12.5e3", message, "-12.5e3", ""},
		{open, "5e-324", message, "5e-324", ""},
		{open, "1e400", message, "1e400", ""},
		{open, "true", message, "true", ""},
		{open, `"text"`, message, `"text"`, ""},
		{open, `"\u0000"`, message, `"\u0000"`, ""},
		{open, "[]", message, "[]", ""},
		{open, `[1,{"requestId":1}]`, message, `[1,{"requestId":1}]`, ""},
		{open, "{}", message, "{}", ""},
		{open, `{"a":{"requestId":1}}`, message, `{"a":{"requestId":1}}`, ""},
		{open, `{"password":"x","error":"y","authenticated":true}`, message, `{"password":"x","error":"y","authenticated":true}`, ""},

		// The first message to a server decides, whatever it is.
		{[]phase{sw}, `{"password":"kitty"}`, password, "", `"kitty"`},
		{[]phase{sw}, `{"password":"a","password":"b"}`, password, "", `"b"`},
		{[]phase{sw}, `{"pass\u0077ord":1}`, password, "", "1"},
		{[]phase{sw}, `{"password":null}`, password, "", "null"},
		{[]phase{sw}, `{"password":{"a":[1, 2]}}`, password, "", `{"a":[1, 2]}`},
		{[]phase{sw}, `{}`, password, "", ""},
		{[]phase{sw}, `{"requestId":1}`, password, "", ""},
		{[]phase{sw}, `[{"password":"x"}]`, password, "", ""},
		{[]phase{sw}, `"password"`, password, "", ""},
		{[]phase{sw}, "7", password, "", ""},

		// A client before authentication.
		{[]phase{cw}, `{"error":"incorrect password"}`, message, `{"error":"incorrect password"}`, `"incorrect password"`},
		{[]phase{cw}, `{"error":1,"authenticated":true}`, message, `{"error":1,"authenticated":true}`, "1"},
		{[]phase{cw}, `{"error":"","authenticated":true}`, authenticated, "", ""},
		{[]phase{cw}, `{"authenticated":true}`, authenticated, "", ""},
		{[]phase{cw}, `{"authenticated":true,"more":1}`, authenticated, "", ""},
		{[]phase{cw}, `{"authenticated":1}`, dropped, "", ""},
		{[]phase{cw}, `{"authenticated":"true"}`, dropped, "", ""},
		{[]phase{cw}, `{"authenticated":true,"authenticated":false}`, dropped, "", ""},
		{[]phase{cw}, `{"requestId":1}`, dropped, "", ""},
		{[]phase{cw}, `{"__ping":1}`, dropped, "", ""},
		{[]phase{cw}, `{"a":1}`, dropped, "", ""},
		{[]phase{cw}, `"error"`, dropped, "", ""},
		{[]phase{cw}, `7`, dropped, "", ""},

		// Requests.
		{open, `{"requestId":1}`, request, "{}", "1"},
		{open, `{"a":1,"requestId":12}`, request, `{"a":1}`, "12"},
		{open, `{"requestId":12,"a":1}`, request, `{"a":1}`, "12"},
		{open, `{ "a" : 1 , "requestId" : 12 , "b" : [ 1, 2 ] }`, request, `{"a":1,"b":[ 1, 2 ]}`, "12"},
		{open, `{"requestId":1,"a":{"requestId":2},"requestId":3}`, request, `{"a":{"requestId":2}}`, "3"},
		{open, `{"requestId":0,"requestId":3}`, request, `{}`, "3"},
		{open, `{"requestId":"x","a":12345678901234567890}`, request, `{"a":12345678901234567890}`, `"x"`},
		{open, `{"requestId":{"any":"thing"}}`, request, `{}`, `{"any":"thing"}`},
		{open, `{"request\u0049d":1}`, request, `{}`, "1"},
		{open, `{"requestId":1,"responseId":2,"__ping":3,"__pong":4}`, request, `{"responseId":2,"__ping":3,"__pong":4}`, "1"},
		{open, `{"requestId":0}`, message, `{"requestId":0}`, ""},
		{open, `{"requestId":3,"requestId":0}`, message, `{"requestId":3,"requestId":0}`, ""},
		{open, `{"requestId":""}`, message, `{"requestId":""}`, ""},
		{open, `{"requestId":null}`, message, `{"requestId":null}`, ""},
		{open, `{"requestid":1}`, message, `{"requestid":1}`, ""},

		// Answers.
		{open, `{"a":1,"responseId":7}`, response, `{"a":1}`, "7"},
		{open, `{"requestId":0,"responseId":7}`, response, `{"requestId":0}`, "7"},
		{open, `{"__pong":1,"responseId":7,"__ping":1}`, response, `{"__pong":1,"__ping":1}`, "7"},
		{open, `{"responseId":false}`, message, `{"responseId":false}`, ""},

		// Pings go to clients, key 0 too; pongs to servers.
		{[]phase{co}, `{"__ping":65534}`, ping, "", "65534"},
		{[]phase{co}, `{"__ping":0}`, ping, "", "0"},
		{[]phase{co}, `{"__ping":"key","a":1}`, ping, "", `"key"`},
		{[]phase{co}, `{"__ping":false}`, message, `{"__ping":false}`, ""},
		{[]phase{co}, `{"__ping":null}`, message, `{"__ping":null}`, ""},
		{[]phase{co}, `{"__pong":1}`, message, `{"__pong":1}`, ""},
		{[]phase{so}, `{"__pong":1}`, pong, "", "1"},
		{[]phase{so}, `{"__pong":0}`, message, `{"__pong":0}`, ""},
		{[]phase{so}, `{"__ping":1}`, message, `{"__ping":1}`, ""},

		// What isn't UTF-8 is read as U+FFFD, as Node does.
		{open, "{\"a\":\"\xff\"}", message, "{\"a\":\"\uFFFD\"}", ""},
		{open, `{"a":"\ud800"}`, message, `{"a":"\ud800"}`, ""},
		{open, `{"😀":"é"}`, message, `{"😀":"é"}`, ""},
	}
	for _, tt := range tests {
		for _, p := range tt.phases {
			got := classify([]byte(tt.line), p)
			if got.kind != tt.kind || string(got.body) != tt.body || string(got.id) != tt.id {
				t.Errorf("phase %d, %.60q: %v, body %q, id %q; want %v, %q, %q", p, tt.line, got.kind, got.body, got.id, tt.kind, tt.body, tt.id)
			}
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]uint64{
		"1": 1, "65534": 65534, "5.0": 5, "5e0": 5, "1e3": 1000, "9007199254740991": 1<<53 - 1,
		"": 0, "0": 0, "-1": 0, "1.5": 0, "9007199254740992": 0, "1e400": 0, `"1"`: 0, "true": 0, "[1]": 0, "null": 0,
		strings.Repeat("9", 100000): 0,
	} {
		if got := number([]byte(text)); got != want {
			t.Errorf("number(%.20s) = %d, want %d", text, got, want)
		}
	}
}

// model does what classify does, by way of encoding/json's own objects.
func model(line []byte, p phase) incoming {
	line = bytes.ToValidUTF8(bytes.Trim(line, " \t\r"), []byte("\uFFFD"))
	if len(line) == 0 {
		return incoming{kind: blank}
	}
	var v any
	if !json.Valid(line) {
		return incoming{kind: unparsable}
	}
	if json.Unmarshal(line, &v) != nil {
		v = 1.0 // a number out of range
	}
	truth := func(v any) bool {
		return v != nil && v != false && v != 0.0 && v != ""
	}
	if !truth(v) {
		return incoming{kind: dropped}
	}
	var object map[string]json.RawMessage
	if line[0] == '{' {
		json.Unmarshal(line, &object)
	}
	field := func(key string) bool {
		raw, ok := object[key]
		if !ok {
			return false
		}
		var v any = 1.0
		json.Unmarshal(raw, &v)
		return truth(v)
	}
	less := func(key string) []byte {
		delete(object, key)
		b, _ := json.Marshal(object)
		return b
	}
	switch {
	case p == serverWaits:
		return incoming{kind: password, id: object["password"]}
	case p == clientWaits && field("error"):
		return incoming{message, line, object["error"]}
	case p == clientWaits && string(object["authenticated"]) == "true":
		return incoming{kind: authenticated}
	case p == clientWaits:
		return incoming{kind: dropped}
	case field("requestId"):
		id := object["requestId"]
		return incoming{request, less("requestId"), id}
	case field("responseId"):
		id := object["responseId"]
		return incoming{response, less("responseId"), id}
	case p == clientOpen && field("__ping"):
		return incoming{kind: ping, id: object["__ping"]}
	case p == serverOpen && field("__pong"):
		return incoming{kind: pong, id: object["__pong"]}
	}
	return incoming{kind: message, body: line}
}

// FuzzClassify compares classify with the model.
func FuzzClassify(f *testing.F) {
	for _, s := range []string{"", "{", `{"requestId":1,"a":[1,{"b":"\\\""}]}`, `{"responseId" : 2 ,"x":{}}`, `{"__ping":0}`, `{"__pong":3}`,
		`{"password":"\u0061"}`, `{"error":"incorrect password"}`, `{"authenticated":true}`, "-0", "1e999", `"\"`, "{\"\xff\":1}", `{"requ\u0065stId":[]}`} {
		for p := range uint8(4) {
			f.Add([]byte(s), p)
		}
	}
	f.Fuzz(func(t *testing.T, line []byte, p uint8) {
		if bytes.IndexByte(line, '\n') >= 0 {
			return // never in a line
		}
		ph := phase(p % 4)
		in := bytes.Clone(line)
		got, want := classify(in, ph), model(line, ph)
		if !bytes.Equal(in, line) {
			t.Fatal("classify changed the line")
		}
		if ph == clientOpen && got.kind == ping && isZero(got.id) {
			return // where we do better than the model
		}
		if got.kind != want.kind || !bytes.Equal(got.id, want.id) {
			t.Fatalf("%q: %v, id %q; want %v, %q", line, got.kind, got.id, want.kind, want.id)
		}
		if got.body == nil && want.body == nil {
			return
		}
		if !utf8.Valid(got.body) {
			t.Fatalf("body %q isn't UTF-8", got.body)
		}
		var a, b any
		ea, eb := unmarshalExact(got.body, &a), unmarshalExact(want.body, &b)
		if ea != nil || eb != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("%q: body %q (%v), want %q (%v)", line, got.body, ea, want.body, eb)
		}
	})
}

func unmarshalExact(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}
