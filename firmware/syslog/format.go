package syslog

import (
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Facility is who logs (RFC 5424 section 6.2.1).
type Facility int

// Facilities for local use; others are numbers from 0 to 23.
const (
	Local0 Facility = 16 + iota
	Local1
	Local2
	Local3
	Local4
	Local5
	Local6
	Local7
)

// severity returns RFC 5424's number of a level.
func severity(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}

// sdID names the structured data: 32473 is the enterprise number for examples and
// documentation (RFC 5612), since Ingot has none.
const sdID = "ingot@32473"

// format writes a record as RFC 5424 has it. sd are the attributes as structured data
// ([appendParam]).
func format(f Facility, at time.Time, level slog.Level, host, app string, sd []byte, text string, limit int) []byte {
	b := make([]byte, 0, 128+len(sd)+len(text))
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(f)*8+int64(severity(level)), 10)
	b = append(b, ">1 "...)
	if at.IsZero() {
		b = append(b, '-')
	} else {
		b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	}
	b = append(b, ' ')
	b = append(b, host...)
	b = append(b, ' ')
	b = append(b, app...)
	b = append(b, " - - "...)
	if len(sd) == 0 || len(b)+len(sd)+len(sdID)+3 > limit {
		// Structured data is whole or not there.
		b = append(b, '-')
	} else {
		b = append(b, '[')
		b = append(b, sdID...)
		b = append(b, sd...)
		b = append(b, ']')
	}
	if text != "" {
		b = append(b, ' ')
		b = appendText(b, text)
	}
	if len(b) > limit {
		for limit > 0 && !utf8.RuneStart(b[limit]) {
			limit-- // not within a character
		}
		b = b[:limit]
	}
	return b
}

// appendText appends text without control characters, and with what isn't UTF-8 replaced.
func appendText(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b = append(b, ' ')
		case r < ' ' || r >= 0x7f && r < 0xa0:
			b = utf8.AppendRune(b, utf8.RuneError)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// appendParam appends an element of structured data (RFC 5424 section 6.3).
func appendParam(b []byte, name, value string) []byte {
	b = append(b, ' ')
	n := 0
	for _, c := range []byte(name) {
		if n == 32 {
			break
		}
		if c <= ' ' || c >= 0x7f || c == '=' || c == ']' || c == '"' {
			c = '_'
		}
		b = append(b, c)
		n++
	}
	if n == 0 {
		b = append(b, '_')
	}
	b = append(b, '=', '"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\' || r == ']':
			b = append(b, '\\', byte(r))
		case r < ' ' || r >= 0x7f && r < 0xa0:
			b = append(b, ' ')
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// appendAttr appends an attribute, those of a group with its name in front.
func appendAttr(b []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return b
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, in := range v.Group() {
			b = appendAttr(b, prefix, in)
		}
		return b
	}
	return appendParam(b, prefix+a.Key, v.String())
}

// name makes a header's field of s: visible ASCII, of no more than limit characters.
func name(s string, limit int) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if b.Len() == limit {
			break
		}
		if c > ' ' && c < 0x7f {
			b.WriteByte(c)
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}
