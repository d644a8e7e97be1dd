package simnet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Run calls f in one subtest for each of n seeds. The seeds are the same each time,
// unless INGOT_SEED names one, or INGOT_SEEDS says how many to draw afresh.
func Run(t *testing.T, n int, f func(t *testing.T, seed uint64)) {
	t.Helper()
	for _, seed := range seeds(t, n) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("to repeat it: INGOT_SEED=%d go test -run '^%s$'", seed, t.Name())
				}
			})
			f(t, seed)
		})
	}
}

func seeds(t testing.TB, n int) []uint64 {
	t.Helper()
	if text := os.Getenv("INGOT_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("INGOT_SEED=%q: give a number", text)
		}
		return []uint64{seed}
	}
	var list []uint64
	if text := os.Getenv("INGOT_SEEDS"); text != "" {
		count, err := strconv.Atoi(text)
		if err != nil || count < 1 {
			t.Fatalf("INGOT_SEEDS=%q: give a number of seeds", text)
		}
		for range count {
			list = append(list, rand.Uint64())
		}
		return list
	}
	for i := range n {
		list = append(list, uint64(i+1))
	}
	return list
}
