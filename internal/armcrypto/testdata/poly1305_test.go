package poly1305

import "testing"

// The assembly's sum is the portable code's: every length, in one call and in pieces,
// at any address.
func TestPortable(t *testing.T) {
	r := newRandom(t)
	var key [32]byte
	buf := make([]byte, longest+16)
	for i := range longest + 1 + cases(t) {
		n := i
		if n > longest {
			n = r.IntN(longest + 1)
		}
		r.bytes(key[:])
		r.bytes(buf)
		from := r.IntN(16)
		msg := buf[from : from+n]
		var want, got [TagSize]byte
		sumGeneric(&want, msg, &key)
		m := New(&key)
		if r.IntN(2) == 0 {
			m.Write(msg)
		} else {
			for rest := msg; len(rest) > 0; {
				k := min(len(rest), 1+r.IntN(70))
				m.Write(rest[:k])
				rest = rest[k:]
			}
		}
		m.Sum(got[:0])
		if got != want {
			t.Fatalf("case %d: %d bytes, key %x: %x, want %x", i, n, key, got, want)
		}
	}
}
