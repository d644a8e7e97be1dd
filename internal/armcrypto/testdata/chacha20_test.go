package chacha20

import (
	"bytes"
	"testing"
)

// portable is XORKeyStream as it is without assembly, for one call.
func portable(c *Cipher, dst, src []byte) {
	padded := make([]byte, (len(src)+blockSize-1)/blockSize*blockSize)
	copy(padded, src)
	c.xorKeyStreamBlocksGeneric(padded, padded)
	copy(dst, padded)
}

// The assembly's key stream is the portable code's: every length, in one call and in
// pieces, at any address, in place and not, with nothing beside it touched.
func TestPortable(t *testing.T) {
	r := newRandom(t)
	var key, nonce [32]byte
	src, dst, want := make([]byte, longest+32), make([]byte, longest+32), make([]byte, longest)
	for i := range longest + 1 + cases(t) {
		n := i
		if n > longest {
			n = r.IntN(longest + 1)
		}
		r.bytes(key[:])
		r.bytes(nonce[:])
		one, err := NewUnauthenticatedCipher(key[:], nonce[:NonceSize])
		if err != nil {
			t.Fatal(err)
		}
		counter := r.Uint32()
		if r.IntN(8) == 0 {
			counter = -uint32((n+63)/64) - uint32(r.IntN(3)) // the last blocks that there are
		}
		if counter > -uint32((n+63)/64) && n > 0 {
			counter = 0
		}
		one.SetCounter(counter)
		other := *one
		from, to := r.IntN(16), r.IntN(16)
		r.bytes(src)
		portable(&other, want, src[from:from+n])
		in, out := src[from:from+n], dst[to:to+n]
		if r.IntN(2) == 0 {
			out = in
		}
		r.bytes(dst)
		around := bytes.Clone(dst)
		if r.IntN(2) == 0 {
			one.XORKeyStream(out, in)
		} else {
			for o := 0; o < n; {
				m := min(n-o, 1+r.IntN(200))
				one.XORKeyStream(out[o:o+m], in[o:o+m])
				o += m
			}
		}
		if !bytes.Equal(out, want[:n]) {
			t.Fatalf("case %d: %d bytes, counter %d, key %x: %x, want %x", i, n, counter, key, out, want[:n])
		}
		if !bytes.Equal(dst[:to], around[:to]) || !bytes.Equal(dst[to+n:], around[to+n:]) {
			t.Fatalf("case %d: %d bytes at offset %d: what is beside them changed", i, n, to)
		}
	}
}
