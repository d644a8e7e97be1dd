package poly1305

// chunkSize is how much one call of the assembly does, in bytes. It can't be preempted.
const chunkSize = 8192

// blocks does h = (h + m + 2¹²⁸) * r, modulo 2¹³⁰ - 5, for each 16 bytes m of msg, of
// which there are whole ones only. h need not be fully reduced: it is below 2¹³⁰ + 2³²
// afterwards, and may be larger before. r is clamped, as the RFC says.
func blocks(h *[3]uint64, r *[2]uint64, msg []byte) {
	for len(msg) > 0 {
		n := min(len(msg), chunkSize)
		blocksARM(h, r, &msg[0], n/16)
		msg = msg[n:]
	}
}

// blocksARM does n blocks, at least one.
//
//go:noescape
func blocksARM(h *[3]uint64, r *[2]uint64, msg *byte, n int)
