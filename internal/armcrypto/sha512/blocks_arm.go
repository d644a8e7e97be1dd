package sha512

// chunkSize is how much one call of the assembly does, in bytes. It can't be preempted.
const chunkSize = 4096

// blocks goes from the state h over the blocks of p, of which there are whole ones only.
// k are the constants of FIPS 180-4, section 4.2.3.
func blocks(h *[8]uint64, k *[80]uint64, p []byte) {
	for len(p) > 0 {
		n := min(len(p), chunkSize)
		blocksARM(h, k, &p[0], n/128)
		p = p[n:]
	}
}

// blocksARM does n blocks, at least one.
//
//go:noescape
func blocksARM(h *[8]uint64, k *[80]uint64, p *byte, n int)
