package bench

import (
	"os"
	"runtime"
	"strings"
)

// LiveVar is the environment variable that, set to 1, has every allocation recorded from
// the start, for the request "live". It costs time and memory: what else is measured
// then means nothing.
const LiveVar = "INGOT_BENCH_LIVE"

func init() {
	if os.Getenv(LiveVar) == "1" {
		runtime.MemProfileRate = 1
	}
}

// Live is what one place of the program has allocated that is still in use.
type Live struct {
	Stack   string `json:"stack"` // functions, the allocating one first, separated by spaces
	Bytes   int64  `json:"bytes"`
	Objects int64  `json:"objects"`
}

// maxFrames bounds a stack's length: who owns memory is among the first.
const maxFrames = 12

// readLive returns all places, of the time of the last collection of garbage.
func readLive() []Live {
	var records []runtime.MemProfileRecord
	n, ok := runtime.MemProfile(nil, false)
	for !ok {
		records = make([]runtime.MemProfileRecord, n+50)
		n, ok = runtime.MemProfile(records, false)
	}
	sums := make(map[string]Live)
	for _, r := range records[:n] {
		var names []string
		frames := runtime.CallersFrames(r.Stack())
		for more := len(r.Stack()) > 0; more && len(names) < maxFrames; {
			var f runtime.Frame
			f, more = frames.Next()
			names = append(names, f.Function)
		}
		l := Live{Stack: strings.Join(names, " ")}
		l.Bytes = sums[l.Stack].Bytes + r.InUseBytes()
		l.Objects = sums[l.Stack].Objects + r.InUseObjects()
		sums[l.Stack] = l
	}
	all := make([]Live, 0, len(sums))
	for _, l := range sums {
		all = append(all, l)
	}
	return all
}
