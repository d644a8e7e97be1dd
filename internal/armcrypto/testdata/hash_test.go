package PACKAGE

import (
	"bytes"
	"testing"
)

// The assembly's sum is the portable code's: every length, in one call and in pieces,
// at any address.
func TestPortable(t *testing.T) {
	r := newRandom(t)
	buf := make([]byte, longest+16)
	for i := range longest + 1 + cases(t) {
		n := i
		if n > longest {
			n = r.IntN(longest + 1)
		}
		r.bytes(buf)
		from := r.IntN(16)
		msg := buf[from : from+n]
		d := New()
		if r.IntN(2) == 0 {
			d.Write(msg)
		} else {
			for rest := msg; len(rest) > 0; {
				k := min(len(rest), 1+r.IntN(400))
				d.Write(rest[:k])
				rest = rest[k:]
			}
		}
		if got, want := d.Sum(nil), portable(msg); !bytes.Equal(got, want) {
			t.Fatalf("case %d: %d bytes: %x, want %x", i, n, got, want)
		}
	}
}
