package netstack

import (
	"testing"

	"gvisor.dev/gvisor/pkg/rand"
)

// TestRandom: gVisor's own random numbers, which its first reader is served differently
// from those after, are there from the first byte, and none comes twice. Images have them
// with a cut.
func TestRandom(t *testing.T) {
	seen := map[[8]byte]bool{{}: true}
	for _, n := range []int{8, 4096, 24, 8192, 16384} { // its buffer has 4,096
		b := make([]byte, n)
		if got, err := rand.Read(b); got != n || err != nil {
			t.Fatalf("%d of %d bytes: %v", got, n, err)
		}
		for len(b) > 0 {
			w := [8]byte(b)
			if seen[w] {
				t.Fatalf("%x came before, or is zero", w)
			}
			seen[w] = true
			b = b[8:]
		}
	}
}
