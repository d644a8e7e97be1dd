package tlsio

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// leaks fails t if, at its end, goroutines of this package are still running.
func leaks(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		var left []string
		for end := time.Now().Add(limit); time.Now().Before(end); {
			if left = ourGoroutines(); len(left) == 0 {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("%d goroutines left behind:\n%s", len(left), strings.Join(left, "\n\n"))
	})
}

// ourGoroutines returns the stacks of goroutines that this package started, but
// for those that its tests did.
func ourGoroutines() []string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var ours []string
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		_, creator, ok := strings.Cut(g, "created by ingot.dev/tlsio.")
		if ok && !strings.Contains(creator, "_test.go:") {
			ours = append(ours, g)
		}
	}
	return ours
}
