package tlsio

import (
	"testing"

	"ingot.dev/internal/testenv"
)

// leaks fails t if, at its end, goroutines of this package are still running.
func leaks(t testing.TB) {
	t.Helper()
	testenv.NoLeaks(t, "ingot.dev/tlsio.")
}
