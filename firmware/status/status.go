package status

import (
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"ingot.dev/board"
	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/tally"
	"ingot.dev/net/netstack"
)

// Status is what there is to know at a moment. Sizes are in bytes, times in seconds.
type Status struct {
	Board         string    `json:"board"` // "" when it is hosted
	Go            string    `json:"go"`
	Time          time.Time `json:"time"`
	TimeSource    string    `json:"timeSource"`
	EntropySource string    `json:"entropySource"`
	Addresses     []string  `json:"addresses"`
	Uptime        float64   `json:"uptime"` // of the firmware
	Busy          float64   `json:"busy"`   // for how long of the machine's time the processor was; 0 where that isn't known

	Memory   Memory    `json:"memory"`
	Services []Service `json:"services"`
}

// Memory is what is in use.
type Memory struct {
	RAM        uint64 `json:"ram"`  // 0 where that isn't known
	Free       uint64 `json:"free"` // of RAM, in no use at all
	Heap       uint64 `json:"heap"` // live and not yet swept objects
	Stacks     uint64 `json:"stacks"`
	Limit      uint64 `json:"limit"` // of Go's runtime; 0 for none
	Goroutines int    `json:"goroutines"`
	GCs        uint32 `json:"gcs"`
}

// Service is what one service did.
type Service struct {
	Name       string            `json:"name"`
	Kind       string            `json:"kind"`
	Open       int64             `json:"open"`
	Accepted   uint64            `json:"accepted"`
	Handshakes uint64            `json:"handshakes"`
	Resumed    uint64            `json:"resumed"`
	Received   uint64            `json:"received"`
	Sent       uint64            `json:"sent"`
	Messages   uint64            `json:"messages"`
	Errors     map[string]uint64 `json:"errors"` // by kind; those that there were none of are left out
}

var started = time.Now()

// Read returns the status of a system.
func Read(s *firmware.System) Status {
	now := time.Now()
	st := Status{
		Board: board.Name, Go: runtime.Version(), Time: now.UTC().Truncate(time.Millisecond),
		TimeSource: "operating system", EntropySource: "operating system",
		Addresses: []string{}, Services: []Service{},
		Uptime: now.Sub(started).Seconds(),
	}
	if board.Name != "" {
		st.TimeSource, st.EntropySource = firmware.TimeSource(s), firmware.EntropySource(s)
	}
	if stack, ok := s.Net.(*netstack.Stack); ok {
		if clock := stack.Clock(); clock.Server != "" {
			st.TimeSource = "time server " + clock.Server
		}
		for _, p := range stack.Addresses() {
			st.Addresses = append(st.Addresses, p.String())
		}
		if p := stack.Lease().Prefix; p.IsValid() && !contains(stack.Addresses(), p) {
			st.Addresses = append(st.Addresses, p.String())
		}
	}
	st.Memory = readMemory()
	st.Busy = readBusy()
	for _, part := range firmware.Parts(s) {
		if p, ok := part.(*endpoint.Endpoint); ok {
			st.Services = append(st.Services, readService(p))
		}
	}
	return st
}

func contains(list []netip.Prefix, p netip.Prefix) bool {
	for _, x := range list {
		if x == p {
			return true
		}
	}
	return false
}

func readService(e *endpoint.Endpoint) Service {
	t := &e.Tally
	s := Service{
		Name: e.Name, Kind: e.Kind, Open: t.Open.Load(), Accepted: t.Accepted.Load(),
		Handshakes: t.Handshakes.Load(), Resumed: t.Resumed.Load(),
		Received: t.Received.Load(), Sent: t.Sent.Load(), Messages: t.Messages.Load(),
		Errors: map[string]uint64{},
	}
	for k := range tally.Kinds {
		if n := t.Errors[k].Load(); n > 0 {
			s.Errors[k.String()] = n
		}
	}
	return s
}

func readMemory() Memory {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	memory := Memory{Heap: m.HeapAlloc, Stacks: m.StackInuse, Goroutines: runtime.NumGoroutine(), GCs: m.NumGC}
	if limit := debug.SetMemoryLimit(-1); limit < 1<<62 {
		memory.Limit = uint64(limit)
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		memory.RAM = field(string(text), "MemTotal:") * 1024
		memory.Free = field(string(text), "MemFree:") * 1024
	}
	return memory
}

// readBusy asks Ingot's kernel.
func readBusy() float64 {
	text, err := os.ReadFile("/proc/ingot")
	if err != nil {
		return 0
	}
	up, idle := field(string(text), "uptime_ns"), field(string(text), "idle_ns")
	return float64(up-min(idle, up)) / 1e9
}

// field returns the number behind a name at the beginning of a line, 0 without one.
func field(text, name string) uint64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.ParseUint(f[0], 10, 64)
				return n
			}
		}
	}
	return 0
}
