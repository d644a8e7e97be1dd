package jsonmsg

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// cut feeds parts and returns the lines, and the first error.
func cut(l *lines, parts ...string) (got []string, err error) {
	for _, p := range parts {
		err = l.feed([]byte(p), func(line []byte) error {
			got = append(got, string(line))
			return nil
		})
		if err != nil {
			return got, err
		}
	}
	return got, nil
}

func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name  string
		max   int
		parts []string
		want  []string
		err   error
	}{
		{"one", 10, []string{"ab\n"}, []string{"ab"}, nil},
		{"several in a part", 10, []string{"a\nb\n\nc"}, []string{"a", "b", ""}, nil},
		{"one in several parts", 10, []string{"a", "b", "", "c\n"}, []string{"abc"}, nil},
		{"CR LF", 10, []string{"ab\r\n", "c\r", "\n"}, []string{"ab", "c"}, nil},
		{"CR within", 10, []string{"a\rb\n"}, []string{"a\rb"}, nil},
		{"only the last CR goes", 10, []string{"a\r\r\n"}, []string{"a\r"}, nil},
		{"as long as may be", 3, []string{"abc\n", "ab", "c\n", "abc\r\n", "abc", "\r", "\n"}, []string{"abc", "abc", "abc", "abc"}, nil},
		{"too long", 3, []string{"abcd\n"}, nil, ErrTooLong},
		{"too long, in parts", 3, []string{"ab", "cd\n"}, nil, ErrTooLong},
		{"too long, no end", 3, []string{"abcde"}, nil, ErrTooLong},
		{"too long, no end, in parts", 3, []string{"a", "b", "c", "d", "e"}, nil, ErrTooLong},
		{"too long by what isn't CR", 3, []string{"abc", "d", "\n"}, nil, ErrTooLong},
		{"lines before it count", 3, []string{"a\nb\nabcdefgh\nc\n"}, []string{"a", "b"}, ErrTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &meter{}
			got, err := cut(&lines{max: tt.max, mem: &purse{meter: m}}, tt.parts...)
			if strings.Join(got, "|") != strings.Join(tt.want, "|") || len(got) != len(tt.want) || err != tt.err {
				t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// TestLinesMemory watches what an incomplete line holds and is charged.
func TestLinesMemory(t *testing.T) {
	const max = 100000
	m := &meter{}
	l := &lines{max: max, mem: &purse{meter: m}}
	for i := range max {
		if err := l.feed([]byte("x"), nil); err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
		if cap(l.part) > max+1 || m.used.Load() != int64(cap(l.part)) {
			t.Fatalf("byte %d: holds %d, charged %d", i, cap(l.part), m.used.Load())
		}
	}
	if got, err := cut(l, "\n"); err != nil || len(got) != 1 || len(got[0]) != max {
		t.Fatalf("%d lines, %v", len(got), err)
	}
	if l.part != nil || m.used.Load() != 0 {
		t.Errorf("after the line: %d bytes held, %d charged", cap(l.part), m.used.Load())
	}
	m = &meter{limit: 2000}
	l.mem = &purse{meter: m}
	if _, err := cut(l, strings.Repeat("x", 1500), strings.Repeat("x", 1500)); err != ErrMemory {
		t.Errorf("above the meter's limit: %v", err)
	}
	if used := m.used.Load(); used > 2000 {
		t.Errorf("charged %d of 2000", used)
	}
	l.drop()
	if used := m.used.Load(); used != 0 {
		t.Errorf("%d still charged", used)
	}
	// Whole lines are not copied, and not charged.
	l.mem = &purse{meter: &meter{limit: 1}}
	if got, err := cut(l, "whole\nlines\n"); err != nil || len(got) != 2 {
		t.Errorf("whole lines: %q, %v", got, err)
	}
}

func TestLinesEndWithTheFunction(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	l := &lines{max: 10}
	err := l.feed([]byte("a\nb\nc\n"), func([]byte) error {
		if calls++; calls == 2 {
			return stop
		}
		return nil
	})
	if err != stop || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// FuzzLines compares lines, fed in parts, with what bytes.Split makes of the whole.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nbb\r\n\nccc"), uint8(3), uint16(2))
	f.Add([]byte("aaaa\r\n"), uint8(1), uint16(4))
	f.Add([]byte("aaaa\r\rb"), uint8(2), uint16(4))
	f.Fuzz(func(t *testing.T, data []byte, step uint8, limit uint16) {
		m := &meter{}
		l := &lines{max: int(limit), mem: &purse{meter: m}}
		var got [][]byte
		var err error
		for rest := data; len(rest) > 0 && err == nil; {
			n := min(int(step)+1, len(rest))
			err = l.feed(rest[:n], func(line []byte) error {
				got = append(got, bytes.Clone(line))
				return nil
			})
			rest = rest[n:]
			if cap(l.part) > int(limit)+1 {
				t.Fatalf("holds %d, the limit is %d", cap(l.part), limit)
			}
		}
		parts := bytes.Split(data, []byte("\n"))
		var want [][]byte
		var wantErr error
		for i, line := range parts {
			last := i == len(parts)-1
			if !last {
				line = bytes.TrimSuffix(line, []byte("\r"))
			}
			// An incomplete line may be longer by what can turn out to be a CR.
			if len(line) > int(limit)+1 || !last && len(line) > int(limit) {
				wantErr = ErrTooLong
				break
			}
			if !last {
				want = append(want, line)
			}
		}
		if err != wantErr {
			t.Fatalf("error %v, want %v", err, wantErr)
		}
		if len(got) != len(want) {
			t.Fatalf("%d lines, want %d", len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("line %d: %q, want %q", i, got[i], want[i])
			}
		}
		l.drop()
		if m.used.Load() != 0 {
			t.Fatalf("%d bytes still charged", m.used.Load())
		}
	})
}
