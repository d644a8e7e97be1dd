//go:build ignore

package poly1305

// mac adds up whole blocks by the assembly. What is left of a message at its end is the
// portable code's: Sum is.
type mac struct{ macGeneric }

func (h *mac) Write(p []byte) (int, error) {
	n := len(p)
	if h.offset > 0 {
		k := copy(h.buffer[h.offset:], p)
		p = p[k:]
		if h.offset += k; h.offset < TagSize {
			return n, nil
		}
		blocks(&h.h, &h.r, h.buffer[:])
		h.offset = 0
	}
	whole := len(p) &^ (TagSize - 1)
	blocks(&h.h, &h.r, p[:whole])
	h.offset = copy(h.buffer[:], p[whole:])
	return n, nil
}
