package jsonmsg

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// maxNumber is the longest text of a number that is a message by itself. A reader
// that parses at each record's end takes the part of a number in one record for
// the whole, so that a number must fit into one record with its LF.
const maxNumber = 64

// encode makes the line for v, with its LF. limit is in bytes, without LF.
func encode(v any, limit int) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // as JSON.stringify
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("jsonmsg: a message must be what encoding/json can marshal: %w", err)
	}
	line := b.Bytes() // Encode ends it with LF, and leaves no other in it
	text := line[:len(line)-1]
	if len(text) > limit {
		return nil, tooLarge(len(text), limit)
	}
	if !truthy(text) {
		return nil, ErrFalsy
	}
	switch text[0] {
	case '{':
		var err error
		members(text, func(key, _, _ []byte) {
			switch string(key) {
			case keyRequest, keyResponse, keyPing, keyPong:
				err = &ReservedFieldError{string(key)}
			}
		})
		if err != nil {
			return nil, err
		}
	case '"', '[', 't':
	default:
		if len(text) > maxNumber {
			return nil, fmt.Errorf("%w: a number of %d digits; send it as a string", ErrTooLarge, len(text))
		}
	}
	return line, nil
}

// encodeWith is encode for an object that gets the field key with the given text
// as its last.
func encodeWith(v any, key string, value []byte, limit int) ([]byte, error) {
	line, err := encode(v, limit)
	if err != nil {
		return nil, err
	}
	if line[0] != '{' {
		return nil, ErrNotObject
	}
	return attach(line, key, value, limit)
}

func attach(line []byte, key string, value []byte, limit int) ([]byte, error) {
	n := len(line) - 2 // without "}\n"
	size := len(line) + len(`"":`) + len(key) + len(value)
	if n > 1 {
		size++ // the comma
	}
	if size-1 > limit {
		return nil, tooLarge(size-1, limit)
	}
	out := make([]byte, n, size)
	copy(out, line)
	if n > 1 {
		out = append(out, ',')
	}
	out = append(out, '"')
	out = append(out, key...)
	out = append(out, '"', ':')
	out = append(out, value...)
	return append(out, '}', '\n'), nil
}

func tooLarge(n, limit int) error {
	return fmt.Errorf("%w: %d bytes, MaxMessage is %d", ErrTooLarge, n, limit)
}

// control makes the protocol's own lines: {"key":value}.
func control(key string, value []byte) []byte {
	line := make([]byte, 0, len(key)+len(value)+6)
	line = append(line, '{', '"')
	line = append(line, key...)
	line = append(line, '"', ':')
	line = append(line, value...)
	return append(line, '}', '\n')
}

func uintText(n uint64) []byte { return strconv.AppendUint(nil, n, 10) }

// incorrectPassword is what the field error of a refusal says.
const incorrectPassword = `"incorrect password"`

var (
	authenticatedLine = control(keyAuthenticated, []byte("true"))
	incorrectLine     = control(keyError, []byte(incorrectPassword))
)

// Sizes of what is written at once.
const (
	// A line of up to oneRecord bytes fits into one TLS record, however small
	// the records are that tlsio was told to send.
	oneRecord = 256
	// Longer lines are written in pieces, each with a time limit of its own.
	pieceSize = 16 << 10
)

// pieces calls f with the parts of line that are to be written one after another.
//
// The npm package's reader tries to parse at the end of each record, and again at
// each LF: it delivers a message twice whose closing brace ends one record while
// its LF begins the next. Where TLS cuts its records is unknown here, but never
// within so short a write as the last of these, which holds both.
func pieces(line []byte, f func([]byte) error) error {
	if len(line) > oneRecord {
		tail := len(line) - 2
		for rest := line[:tail]; len(rest) > 0; {
			n := min(len(rest), pieceSize)
			if err := f(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		line = line[tail:]
	}
	return f(line)
}

// Decode decodes a message into a T. It takes what Request returns, so that the
// two can be written as one:
//
//	sum, err := jsonmsg.Decode[int](client.Request(ctx, question))
func Decode[T any](body json.RawMessage, err error) (T, error) {
	var v T
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	return v, err
}
