package PACKAGE

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// cases is how many random ones a test is to try; the others it tries anyway.
func cases(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("INGOT_CRYPTO_CASES"))
	if err != nil {
		t.Fatalf("INGOT_CRYPTO_CASES: %v", err)
	}
	fmt.Printf("%s: %d random cases\n", t.Name(), n)
	return n
}

// longest is the length up to which all are tried.
const longest = 1100

// random makes the same choices each time, and chooses bytes by the kilobyte.
type random struct {
	*rand.Rand
	source *rand.ChaCha8
}

func newRandom(t *testing.T) *random {
	s := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32.32s", t.Name()))))
	return &random{rand.New(s), s}
}

// bytes fills b: mostly anything, sometimes ones or zeros, which carry furthest.
func (r *random) bytes(b []byte) {
	switch r.IntN(16) {
	case 0:
		clear(b)
	case 1:
		for i := range b {
			b[i] = 0xff
		}
	default:
		r.source.Read(b)
	}
}
