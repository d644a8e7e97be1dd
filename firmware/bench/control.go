package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"time"
)

// A Request asks for one thing.
type Request struct {
	Op    string `json:"op"`
	Name  string `json:"name,omitempty"`  // rate: of what; set: of what
	Ms    int    `json:"ms,omitempty"`    // rate: for how long at least, by the guest's clock
	Value int    `json:"value,omitempty"` // set; profile: samples per second, 0 to end it
}

// An Answer has what was asked for, or Error.
type Answer struct {
	Error    string            `json:"error,omitempty"`
	Status   *Status           `json:"status,omitempty"`
	Counters map[string]uint64 `json:"counters,omitempty"`
	Rate     *Rate             `json:"rate,omitempty"`
	Live     []Live            `json:"live,omitempty"`
	Old      int               `json:"old,omitempty"`     // set: the value before
	Profile  []byte            `json:"profile,omitempty"` // in pprof's format
}

// maxRequest bounds the length of a request's line.
const maxRequest = 4 << 10

// maxRate bounds how long one rate may be measured.
const maxRate = time.Minute

// Control answers requests until the peer has no more.
func Control(ctx context.Context, conn net.Conn) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 0, 512), maxRequest)
	for lines.Scan() {
		var r Request
		var a Answer
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			a.Error = err.Error()
		} else if a, err = r.answer(ctx); err != nil {
			a = Answer{Error: err.Error()}
		}
		b, err := json.Marshal(a)
		if err != nil {
			b = []byte(`{"error":"the answer can't be encoded"}`)
		}
		if _, err := conn.Write(append(b, '\n')); err != nil {
			return
		}
	}
}

func (r *Request) answer(ctx context.Context) (a Answer, err error) {
	switch r.Op {
	case "counters":
		a.Counters = counters()
	case "gc":
		// Twice: what the first collection finalizes, the second frees.
		runtime.GC()
		debug.FreeOSMemory()
		fallthrough
	case "status":
		s := ReadStatus()
		a.Status = &s
	case "live":
		// What a collection finds to be in use is told by the next one.
		runtime.GC()
		runtime.GC()
		a.Live = readLive()
	case "rate":
		d := time.Duration(r.Ms) * time.Millisecond
		if d < 0 || d > maxRate {
			return a, fmt.Errorf("ms %d: use 0 to %d", r.Ms, maxRate.Milliseconds())
		}
		rate, err := Measure(ctx, r.Name, d)
		if err != nil {
			return a, err
		}
		a.Rate = &rate
	case "set":
		switch r.Name {
		case "GOMAXPROCS":
			a.Old = runtime.GOMAXPROCS(r.Value)
		case "GOGC":
			a.Old = debug.SetGCPercent(r.Value)
		default:
			return a, fmt.Errorf("set %q: use GOMAXPROCS or GOGC", r.Name)
		}
	case "profile":
		if r.Value == 0 {
			a.Profile, err = stopProfile()
		} else {
			err = startProfile(r.Value)
		}
		return a, err
	default:
		return a, fmt.Errorf("op %q: use status, counters, gc, live, rate, set or profile", r.Op)
	}
	return a, nil
}
