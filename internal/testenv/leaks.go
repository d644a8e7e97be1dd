package testenv

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var watched sync.Map // tests that NoLeaks was called for

// NoLeaks fails t if, at its end, goroutines are still running that packages have started
// whose paths begin with prefix. A second call in a test does nothing: the first comes
// before all that it watches.
func NoLeaks(t testing.TB, prefix string) {
	t.Helper()
	if _, again := watched.LoadOrStore(t, true); again {
		return
	}
	t.Cleanup(func() {
		watched.Delete(t)
		var left []string
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if left = Goroutines(prefix); len(left) == 0 {
				return
			}
		}
		t.Errorf("%d goroutines left behind:\n%s", len(left), strings.Join(left, "\n\n"))
	})
}

// Goroutines returns the stacks of goroutines that packages have started whose paths begin
// with prefix, but for those that their tests did.
func Goroutines(prefix string) []string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var ours []string
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		_, creator, ok := strings.Cut(g, "created by "+prefix)
		if ok && !strings.Contains(creator, "_test.go:") {
			ours = append(ours, g)
		}
	}
	return ours
}
