package server

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// piece is one DataIn.
type piece struct {
	text string
	eol  bool
}

func (p piece) String() string { return fmt.Sprintf("%.40q(%d) %v", p.text, len(p.text), p.eol) }

// cut feeds stream to f, split as splits says, and returns the pieces and the rest.
func cut(f *Framer, stream []byte, splits func() int) (pieces []piece, rest string, most int) {
	for len(stream) > 0 {
		n := max(1, min(splits(), len(stream)))
		fed := slices.Clone(stream[:n])
		stream = stream[n:]
		f.Feed(fed)
		for {
			p, eol, ok := f.Next()
			if !ok {
				break
			}
			pieces = append(pieces, piece{string(p), eol})
		}
		most = max(most, f.Buffered())
		clear(fed) // what was fed is the caller's again
	}
	left, _ := f.Rest()
	return pieces, string(left), most
}

// model is the rule in Framer's doc comment, applied to a whole stream at once.
func model(f Framer, s []byte) (pieces []piece, rest string) {
	limit := f.MaxLine
	if limit == 0 {
		limit = DefaultMaxLineLength
	}
	for len(s) > 0 {
		switch {
		case f.RecordLength > 0:
			if len(s) < f.RecordLength {
				return pieces, string(s)
			}
			pieces = append(pieces, piece{string(s[:f.RecordLength]), true})
			s = s[f.RecordLength:]
			continue
		case !f.SingleLine && len(f.EOL) == 0:
			return append(pieces, piece{string(s), true}), ""
		}
		i, end := bytes.Index(s, f.EOL), len(f.EOL)
		if f.SingleLine {
			i, end = bytes.IndexAny(s, "\r\n"), 1
			if i >= 0 && bytes.HasPrefix(s[i:], []byte("\r\n")) {
				end = 2
			}
		}
		if i >= 0 && i < limit {
			pieces = append(pieces, piece{string(s[:i]), true})
			s = s[i+end:]
			continue
		}
		if len(s) < limit {
			return pieces, string(s)
		}
		// Is what may be a line end before limit still on its way?
		for j := range limit {
			if !f.SingleLine && len(s)-j < len(f.EOL) && bytes.HasPrefix(f.EOL, s[j:]) {
				return pieces, string(s)
			}
		}
		pieces = append(pieces, piece{string(s[:limit]), false})
		s = s[limit:]
	}
	return pieces, ""
}

// TestFramerCases are the reference's sentences on EOL, MaxLineLength,
// SingleLineMode and RecordLength, one row each.
//
//conform:ipworks event.DataIn works tlsio/server.Handler.DataIn, tlsio/server.Framer.Next
func TestFramerCases(t *testing.T) {
	long := strings.Repeat("x", 256)
	tests := []struct {
		name   string
		framer Framer
		in     []string
		want   []piece
		rest   string
	}{
		{"empty EOL: as received, EOL always true", Framer{}, []string{"a\r\n", "b"}, []piece{{"a\r\n", true}, {"b", true}}, ""},
		{"EOL found: true, and removed", Framer{EOL: []byte("\r\n")}, []string{"one\r\ntwo\r\n"}, []piece{{"one", true}, {"two", true}}, ""},
		{"held until EOL comes", Framer{EOL: []byte("\r\n")}, []string{"on", "e\r", "\ntw"}, []piece{{"one", true}}, "tw"},
		{"empty lines count", Framer{EOL: []byte("\n")}, []string{"\n\na\n"}, []piece{{"", true}, {"", true}, {"a", true}}, ""},
		{"EOL of several bytes with NUL", Framer{EOL: []byte("\x00END\x00")}, []string{"a\x00EN", "D\x00b\x00END", "\x00"}, []piece{{"a", true}, {"b", true}}, ""},
		{"EOL that overlaps itself", Framer{EOL: []byte("aab")}, []string{"aaab"}, []piece{{"a", true}}, ""},
		{"MaxLineLength bytes without EOL: false", Framer{EOL: []byte("\n"), MaxLine: 256}, []string{long}, []piece{{long, false}}, ""},
		{"a line of exactly MaxLineLength", Framer{EOL: []byte("\n"), MaxLine: 256}, []string{long + "\n"}, []piece{{long, false}, {"", true}}, ""},
		{"a line of MaxLineLength-1", Framer{EOL: []byte("\r\n"), MaxLine: 256}, []string{long[1:], "\r", "\n"}, []piece{{long[1:], true}}, ""},
		{"what looked like an EOL at the limit is none", Framer{EOL: []byte("\r\n"), MaxLine: 256}, []string{long[1:] + "\r", "x"}, []piece{{long[1:] + "\r", false}}, "x"},
		{"a long line goes on", Framer{EOL: []byte("\n"), MaxLine: 256}, []string{long + long + "ab\ncd\n"}, []piece{{long, false}, {long, false}, {"ab", true}, {"cd", true}}, ""},
		{"the default limit is 2048", Framer{EOL: []byte("\n")}, []string{strings.Repeat("y", 2047), "y"}, []piece{{strings.Repeat("y", 2048), false}}, ""},
		{"single line: CRLF, CR and LF", Framer{SingleLine: true}, []string{"a\r\nb\rc\nd"}, []piece{{"a", true}, {"b", true}, {"c", true}}, "d"},
		{"single line: CRLF in two parts is one", Framer{SingleLine: true}, []string{"a\r", "\nb\r\n"}, []piece{{"a", true}, {"b", true}}, ""},
		{"single line: LF CR are two", Framer{SingleLine: true}, []string{"a\n\rb\n"}, []piece{{"a", true}, {"", true}, {"b", true}}, ""},
		{"single line ignores EOL", Framer{SingleLine: true, EOL: []byte("|")}, []string{"a|b\n"}, []piece{{"a|b", true}}, ""},
		{"single line has the limit too", Framer{SingleLine: true, MaxLine: 256}, []string{long + "\r\nz\r\n"}, []piece{{long, false}, {"", true}, {"z", true}}, ""},
		{"records", Framer{RecordLength: 3}, []string{"a", "bcde", "f", "gh"}, []piece{{"abc", true}, {"def", true}}, "gh"},
		{"records go before lines", Framer{RecordLength: 4, EOL: []byte("\n"), SingleLine: true}, []string{"a\nb\n\r\n\r\n"}, []piece{{"a\nb\n", true}, {"\r\n\r\n", true}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.framer
			var got []piece
			for _, in := range tt.in {
				f.Feed([]byte(in))
				for {
					p, eol, ok := f.Next()
					if !ok {
						break
					}
					got = append(got, piece{string(p), eol})
				}
			}
			rest, _ := f.Rest()
			if !slices.Equal(got, tt.want) || string(rest) != tt.rest {
				t.Errorf("got  %v rest %q\nwant %v rest %q", got, rest, tt.want, tt.rest)
			}
		})
	}
}

// TestFramerSettingsChange cuts a header line and the record that it announces, and
// leaves the rest to somebody else: what STARTTLS and length prefixes need.
func TestFramerSettingsChange(t *testing.T) {
	for _, step := range []int{1, 2, 3, 7, 100} {
		f := Framer{SingleLine: true}
		in := []byte("LEN 5\r\n\nab\rcSTARTTLS\r\n\x16\x03\x01")
		var got []string
		var rest []byte
		for len(in) > 0 {
			n := min(step, len(in))
			f.Feed(in[:n])
			in = in[n:]
			for rest == nil {
				p, _, ok := f.Next()
				if !ok {
					break
				}
				got = append(got, string(p))
				switch string(p) {
				case "LEN 5":
					f.RecordLength = 5
				case "\nab\rc":
					f.RecordLength = 0
				case "STARTTLS":
					more, skipLF := f.Rest()
					rest = append(bytes.Clone(more), in...)
					if skipLF {
						rest = bytes.TrimPrefix(rest, []byte("\n"))
					}
					in = nil
				}
			}
		}
		if fmt.Sprintf("%q %q", got, rest) != `["LEN 5" "\nab\rc" "STARTTLS"] "\x16\x03\x01"` {
			t.Errorf("step %d: got %q, rest %q", step, got, rest)
		}
	}
}

// TestFramerLimitShrinks changes the limit below what was searched already.
func TestFramerLimitShrinks(t *testing.T) {
	f := Framer{EOL: []byte("\r\n"), MaxLine: 1000}
	f.Feed(bytes.Repeat([]byte("x"), 900))
	if _, _, ok := f.Next(); ok {
		t.Fatal("a piece of an unfinished line")
	}
	f.MaxLine = 256
	for i := range 3 {
		if p, eol, ok := f.Next(); !ok || eol || len(p) != 256 {
			t.Fatalf("piece %d has %d bytes, %v %v", i, len(p), eol, ok)
		}
	}
	f.Feed([]byte("\r\n"))
	if p, eol, ok := f.Next(); !ok || !eol || len(p) != 900-3*256 {
		t.Fatalf("the end has %d bytes, %v %v", len(p), eol, ok)
	}
}

// TestFramerAllocations: lines that arrive whole cost none.
func TestFramerAllocations(t *testing.T) {
	f := Framer{EOL: []byte("\n")}
	in := []byte("one\ntwo\nthree\n")
	if n := testing.AllocsPerRun(1000, func() {
		f.Feed(in)
		for {
			if _, _, ok := f.Next(); !ok {
				return
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for lines that arrived whole", n)
	}
}

func FuzzFramer(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\n\n"), []byte("\r\n"), 0, 0, false, uint64(1))
	f.Add([]byte("aaabaaab"), []byte("aab"), 3, 0, false, uint64(2))
	f.Add([]byte("\r\n\r\n\r\r\n"), []byte(""), 2, 0, true, uint64(3))
	f.Add(bytes.Repeat([]byte("\r\n\x00"), 50), []byte("\x00\r"), 5, 7, true, uint64(4))
	f.Add([]byte("abababab"), []byte("bab"), 1, 0, false, uint64(5))
	f.Fuzz(func(t *testing.T, stream, eol []byte, limit, record int, single bool, seed uint64) {
		if limit < 0 || limit > 4096 || record < 0 || record > 4096 || len(eol) > 64 || len(stream) > 1<<14 {
			return
		}
		settings := Framer{EOL: eol, SingleLine: single, MaxLine: limit, RecordLength: record}
		want, wantRest := model(settings, stream)
		if len(eol) == 0 && !single && record == 0 {
			// Pieces are what arrived; only their sum is certain.
			framer := settings
			r := rand.New(rand.NewPCG(seed, 0))
			got, rest, _ := cut(&framer, stream, func() int { return r.IntN(20) })
			var all strings.Builder
			for _, p := range got {
				if !p.eol || p.text == "" {
					t.Fatalf("piece %v", p)
				}
				all.WriteString(p.text)
			}
			if all.String() != string(stream) || rest != "" {
				t.Fatalf("%q became %q", stream, got)
			}
			return
		}
		bound := max(settings.RecordLength, limit+len(eol))
		if limit == 0 {
			bound = max(settings.RecordLength, DefaultMaxLineLength+len(eol))
		}
		for range 4 {
			framer := settings
			r := rand.New(rand.NewPCG(seed, 0))
			most := 1 + r.IntN(40)
			got, rest, buffered := cut(&framer, stream, func() int { return r.IntN(most) })
			if !slices.Equal(got, want) || rest != wantRest {
				t.Fatalf("stream %q, settings %+v:\ngot  %v rest %q\nwant %v rest %q", stream, settings, got, rest, want, wantRest)
			}
			if buffered > bound {
				t.Fatalf("holds %d bytes, more than %d", buffered, bound)
			}
			seed++
		}
	})
}
