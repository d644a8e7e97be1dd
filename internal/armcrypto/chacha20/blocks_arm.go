package chacha20

// chunkSize is how much one call of the assembly does, in bytes. It can't be preempted.
const chunkSize = 20 * 192

// A state is what a key stream comes from: eight words of key, the counter of blocks, three
// words of nonce.
type blockState [12]uint32

// xorBlocks XORs src, whose length is a multiple of 64, with the key stream into dst, which is as
// long and the same memory or none of it. It counts the blocks in the state.
func xorBlocks(dst, src []byte, state *blockState) {
	for len(src) > 0 {
		n := min(len(src), chunkSize)
		if triples := n / 192; triples > 0 {
			n = triples * 192
			xorTriplesARM(&dst[0], &src[0], triples, state)
		} else {
			xorBlocksARM(&dst[0], &src[0], n/64, state)
		}
		dst, src = dst[n:], src[n:]
	}
}

// xorBlocksARM does n blocks, at least one, by integer instructions.
//
//go:noescape
func xorBlocksARM(dst, src *byte, n int, state *blockState)

// xorTriplesARM does three times n blocks, n being one at least, by NEON.
//
//go:noescape
func xorTriplesARM(dst, src *byte, n int, state *blockState)
