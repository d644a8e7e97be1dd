package peer

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Faults are what a wire does to frames, in each direction. Probabilities are between 0
// and 1, for each frame. The zero value is a perfect wire.
type Faults struct {
	// Seed starts the random choices: the same for the same frames in the same order.
	Seed uint64

	Loss    float64 // a frame vanishes
	Reorder float64 // a frame arrives behind one to maxLate of those after it

	// Rate is how many bytes of frames go over the wire in a second; 0 for no limit.
	Rate int
}

const maxLate = 3

// lateHold bounds how long a frame waits for those that are to overtake it.
const lateHold = 2 * time.Millisecond

// line is one direction of a wire.
type line struct {
	overdue func(frame []byte) // sends a frame that nothing has overtaken in time

	mu     sync.Mutex
	faults Faults
	random *rand.Rand
	late   *lateFrame // nil for none
	free   time.Time  // when what has been sent is through
	lost   int        // frames
}

// A lateFrame is held back until others have overtaken it.
type lateFrame struct {
	frame  []byte
	behind int // of so many more
	until  *time.Timer
}

// set begins anew, with other faults. stream tells directions with the same seed apart.
func (l *line) set(f Faults, stream uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults, l.random = f, rand.New(rand.NewPCG(f.Seed, stream))
}

// burst is how much may go over a wire with a Rate at once, after a pause. It makes up
// for the host's timers, which are late.
const burst = 2 * time.Millisecond

// pace waits until there is room on the wire, and takes it.
func (l *line) pace(n int) {
	l.mu.Lock()
	var wait time.Duration
	if l.faults.Rate > 0 {
		now := time.Now()
		if earliest := now.Add(-burst); l.free.Before(earliest) {
			l.free = earliest
		}
		l.free = l.free.Add(time.Duration(n) * time.Second / time.Duration(l.faults.Rate))
		wait = l.free.Sub(now)
	}
	l.mu.Unlock()
	if wait > 0 {
		time.Sleep(wait)
	}
}

// pass calls send for the frames that come out when one goes in. It keeps no slice.
func (l *line) pass(frame []byte, send func(frame []byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := &l.faults; f.Loss > 0 && l.random.Float64() < f.Loss {
		l.lost++
		return
	} else if f.Reorder > 0 && l.random.Float64() < f.Reorder && l.late == nil {
		late := &lateFrame{frame: slices.Clone(frame), behind: 1 + l.random.IntN(maxLate)}
		late.until = time.AfterFunc(lateHold, func() { l.expire(late) })
		l.late = late
		return
	}
	send(frame)
	if l.late == nil {
		return
	}
	if l.late.behind--; l.late.behind == 0 {
		l.late.until.Stop()
		send(l.late.frame)
		l.late = nil
	}
}

// expire sends a frame that has waited for others for long enough.
func (l *line) expire(late *lateFrame) {
	l.mu.Lock()
	due := l.late == late
	if due {
		l.late = nil
	}
	l.mu.Unlock()
	if due {
		l.overdue(late.frame)
	}
}

func (e *end) disturb(f Faults) {
	e.in.set(f, 1)
	e.out.set(f, 2)
}
