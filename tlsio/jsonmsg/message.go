package jsonmsg

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// The fields that mean something to the protocol.
const (
	keyRequest       = "requestId"
	keyResponse      = "responseId"
	keyPing          = "__ping"
	keyPong          = "__pong"
	keyPassword      = "password"
	keyAuthenticated = "authenticated"
	keyError         = "error"
)

// phase is who reads a line, and when.
type phase uint8

const (
	serverWaits phase = iota // a server that has not authenticated the client
	serverOpen               // a server that has
	clientWaits              // a client that is not authenticated
	clientOpen               // a client that is
)

// kind is what a line means.
type kind uint8

const (
	blank         kind = iota // no line at all
	unparsable                // not JSON: skipped, but counted
	dropped                   // a value that the protocol drops
	message                   // for the program
	request                   // for the program, which answers under id
	response                  // answers request id
	ping                      // to be answered with id
	pong                      // answers ping id
	password                  // the client's first message; id is the password's text, nil without one
	authenticated             // the server has taken the password
)

func (k kind) String() string {
	return [...]string{"blank", "unparsable", "dropped", "message", "request", "response", "ping", "pong", "password", "authenticated"}[k]
}

// incoming is a line understood. Its slices are copies, or nil.
type incoming struct {
	kind kind
	body []byte // valid JSON in valid UTF-8: message, request, response
	id   []byte // the JSON text of the kind's own field; of a refusal, that of error
}

// classify decides what a line is. It has no state: the answer depends on the
// arguments only.
//
// Truth is JavaScript's, which the protocol was made with: false, null, 0 and ""
// are false, and so is a field that isn't there. When a field stands twice, the
// last one counts.
func classify(line []byte, p phase) incoming {
	line = bytes.Trim(line, " \t\r")
	if len(line) == 0 {
		return incoming{kind: blank}
	}
	if !utf8.Valid(line) {
		line = bytes.ToValidUTF8(line, []byte("\uFFFD")) // as Node's decoder does
	}
	if !json.Valid(line) {
		return incoming{kind: unparsable}
	}
	if !truthy(line) {
		return incoming{kind: dropped}
	}
	var fields reserved
	if line[0] == '{' {
		fields.find(line)
	}
	switch p {
	case serverWaits:
		return incoming{kind: password, id: bytes.Clone(fields.password)}
	case clientWaits:
		if truthy(fields.err) {
			return incoming{message, bytes.Clone(line), bytes.Clone(fields.err)}
		}
		if string(fields.authenticated) == "true" {
			return incoming{kind: authenticated}
		}
		return incoming{kind: dropped}
	}
	switch {
	case truthy(fields.request):
		return incoming{request, without(line, keyRequest), bytes.Clone(fields.request)}
	case truthy(fields.response):
		return incoming{response, without(line, keyResponse), bytes.Clone(fields.response)}
	case p == clientOpen && (truthy(fields.ping) || isZero(fields.ping)):
		// The npm client takes key 0 for a message and is killed for it.
		return incoming{kind: ping, id: bytes.Clone(fields.ping)}
	case p == serverOpen && truthy(fields.pong):
		return incoming{kind: pong, id: bytes.Clone(fields.pong)}
	}
	return incoming{kind: message, body: bytes.Clone(line)}
}

// reserved holds the texts of an object's reserved fields.
type reserved struct {
	request, response, ping, pong, password, authenticated, err []byte
}

func (r *reserved) find(object []byte) {
	members(object, func(key, _, value []byte) {
		switch string(key) {
		case keyRequest:
			r.request = value
		case keyResponse:
			r.response = value
		case keyPing:
			r.ping = value
		case keyPong:
			r.pong = value
		case keyPassword:
			r.password = value
		case keyAuthenticated:
			r.authenticated = value
		case keyError:
			r.err = value
		}
	})
}

// truthy is JavaScript's Boolean(JSON.parse(value)) for valid JSON; nil is false.
func truthy(value []byte) bool {
	if len(value) == 0 {
		return false
	}
	switch value[0] {
	case '"':
		return len(value) > 2
	case 't', '{', '[':
		return true
	case 'f', 'n':
		return false
	}
	return !isZero(value)
}

// isZero reports whether value is a number that JavaScript reads as 0: the
// smallest that isn't is 5e-324. Infinity, as which it reads 1e400, is not 0.
func isZero(value []byte) bool {
	if len(value) == 0 || value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return false
	}
	f, _ := strconv.ParseFloat(string(value), 64)
	return f == 0
}

// number returns an id as our counters make them, or 0.
func number(value []byte) uint64 {
	if len(value) == 0 || value[0] < '0' || value[0] > '9' {
		return 0
	}
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || f >= 1<<53 || f != float64(uint64(f)) {
		return 0
	}
	return uint64(f)
}

// without returns a copy of an object that lacks the fields named key.
func without(object []byte, key string) []byte {
	out := make([]byte, 1, len(object))
	out[0] = '{'
	members(object, func(k, name, value []byte) {
		if string(k) == key {
			return
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, name...)
		out = append(out, ':')
		out = append(out, value...)
	})
	return append(out, '}')
}

// members calls f for each member of an object, in order. object must be valid
// JSON without white space around it. name is the key's JSON text, key what it
// says. The loops rely on validity: all brackets and quotes close.
func members(object []byte, f func(key, name, value []byte)) {
	i := space(object, 1)
	for object[i] != '}' {
		if object[i] == ',' {
			i = space(object, i+1)
		}
		end := valueEnd(object, i)
		name := object[i:end]
		i = space(object, space(object, end)+1) // past the colon
		end = valueEnd(object, i)
		f(unquote(name), name, object[i:end])
		i = space(object, end)
	}
}

// space returns the index of the first byte from i on that isn't white space.
func space(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at i.
func valueEnd(b []byte, i int) int {
	depth := 0
	for {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',', ':', ' ', '\t', '\r', '\n':
			i++
			continue
		default: // a number or a literal
			for i+1 < len(b) && !bytes.ContainsRune(delimiters, rune(b[i+1])) {
				i++
			}
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

var delimiters = []byte(",:]} \t\r\n")

// unquote returns what a key says. Only keys with escapes cost a decoder.
func unquote(name []byte) []byte {
	if bytes.IndexByte(name, '\\') < 0 {
		return name[1 : len(name)-1]
	}
	var s string
	json.Unmarshal(name, &s) // can't fail: name is valid
	return []byte(s)
}
