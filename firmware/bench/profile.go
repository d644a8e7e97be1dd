package bench

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"sync"
)

// profiling is the processor's profile that is being taken: a program has one at most.
var profiling struct {
	mu  sync.Mutex
	out *bytes.Buffer
}

// MaxProfileRate leaves most of the time to what is looked at: a sample takes Go's
// runtime 20,000 instructions and more.
const MaxProfileRate = 50_000

// startProfile takes so many samples in each second that the processor is busy.
func startProfile(hz int) error {
	p := &profiling
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case hz < 1 || hz > MaxProfileRate:
		return fmt.Errorf("profile with %d samples per second: use 1 to %d, or 0 to end one", hz, MaxProfileRate)
	case p.out != nil:
		return errors.New("a profile is being taken already")
	}
	// The one way to another rate than 100: StartCPUProfile then keeps it, although the
	// runtime says on the console that it can't be set.
	runtime.SetCPUProfileRate(hz)
	out := new(bytes.Buffer)
	if err := pprof.StartCPUProfile(out); err != nil {
		runtime.SetCPUProfileRate(0)
		return err
	}
	p.out = out
	return nil
}

// stopProfile returns what was taken, in pprof's format.
func stopProfile() ([]byte, error) {
	p := &profiling
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil {
		return nil, errors.New("no profile is being taken")
	}
	pprof.StopCPUProfile()
	out := p.out.Bytes()
	p.out = nil
	return out, nil
}
