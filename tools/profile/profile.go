package profile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// ErrNoSamples says that a profile shows nothing.
var ErrNoSamples = errors.New("the profile has no samples: the processor was idle, or not busy for long enough")

// A Profile is one of the processor.
type Profile struct {
	stacks []stack
	total  int64
	raw    *profile.Profile
}

// A stack was there in that many samples. Frames are names of functions, as linkers
// have them: the outermost first, and what is inlined is a frame too.
type stack struct {
	frames []string
	count  int64
}

// Parse reads what runtime/pprof wrote. Errors wrap ErrNoSamples for a profile with
// none, beside those of its own.
func Parse(data []byte) (*Profile, error) {
	raw, err := profile.ParseData(data)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if len(raw.SampleType) == 0 || raw.SampleType[0].Type != "samples" {
		return nil, errors.New("profile: it is not one of the processor")
	}
	p := &Profile{raw: raw}
	kept := raw.Sample[:0]
	for _, s := range raw.Sample {
		frames := framesOf(s)
		if len(frames) == 0 || s.Value[0] <= 0 || isProfiler(frames) {
			continue
		}
		kept = append(kept, s)
		p.stacks = append(p.stacks, stack{frames, s.Value[0]})
		p.total += s.Value[0]
	}
	raw.Sample = kept
	if p.total == 0 {
		return nil, fmt.Errorf("profile: %w", ErrNoSamples)
	}
	return p, nil
}

func framesOf(s *profile.Sample) (frames []string) {
	for i := len(s.Location) - 1; i >= 0; i-- {
		lines := s.Location[i].Line
		for j := len(lines) - 1; j >= 0; j-- {
			if f := lines[j].Function; f != nil && f.Name != "" {
				frames = append(frames, f.Name)
			}
		}
	}
	return frames
}

// isProfiler tells whether it was the profiler that was at work.
func isProfiler(frames []string) bool {
	for _, f := range frames {
		if strings.HasPrefix(f, "runtime/pprof.") || strings.HasPrefix(f, "runtime_pprof.") ||
			strings.HasPrefix(f, "runtime.(*profBuf)") || f == "runtime.sigprof" || f == "runtime.(*cpuProfile).add" {
			return true
		}
	}
	return false
}

// Samples is how many there are.
func (p *Profile) Samples() int64 { return p.total }

// A Function has the samples in which it was the innermost.
type Function struct {
	Name  string
	Share float64 // of all samples
}

// Functions lists them, those with the most first.
func (p *Profile) Functions() []Function {
	counts := make(map[string]int64)
	for _, s := range p.stacks {
		counts[s.frames[len(s.frames)-1]] += s.count
	}
	list := make([]Function, 0, len(counts))
	for name, n := range counts {
		list = append(list, Function{name, float64(n) / float64(p.total)})
	}
	slices.SortFunc(list, func(a, b Function) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// Write writes the profile for 'go tool pprof', without the samples that Parse left
// out.
func (p *Profile) Write(w io.Writer) error { return p.raw.Write(w) }
