package bench

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Status is what the inside looks like at a moment. Sizes are in bytes.
type Status struct {
	GoVersion  string `json:"go_version"`
	GOARCH     string `json:"goarch"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	Goroutines int    `json:"goroutines"`

	HeapAlloc  uint64 `json:"heap_alloc"`  // live and not yet swept objects
	HeapInuse  uint64 `json:"heap_inuse"`  // spans that hold them
	StackInuse uint64 `json:"stack_inuse"` // goroutine stacks
	GoSys      uint64 `json:"go_sys"`      // address space of the Go runtime
	GCs        uint32 `json:"gcs"`

	// From /proc/meminfo: RAM, and what of it is in no use at all.
	RAM  uint64 `json:"ram"`
	Free uint64 `json:"free"`
	// From /proc/ingot, by name; nil where another kernel runs.
	Kernel map[string]uint64 `json:"kernel,omitempty"`
}

// ReadStatus reads the status of the running system.
func ReadStatus() Status {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := Status{
		GoVersion: runtime.Version(), GOARCH: runtime.GOARCH,
		GOMAXPROCS: runtime.GOMAXPROCS(0), Goroutines: runtime.NumGoroutine(),
		HeapAlloc: m.HeapAlloc, HeapInuse: m.HeapInuse, StackInuse: m.StackInuse,
		GoSys: m.Sys, GCs: m.NumGC,
		Kernel: counters(),
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		f := parseFields(string(text))
		s.RAM, s.Free = f["MemTotal"]*1024, f["MemFree"]*1024
	}
	return s
}

// counters reads the kernel's counters.
func counters() map[string]uint64 {
	text, err := os.ReadFile("/proc/ingot")
	if err != nil {
		return nil
	}
	return parseFields(string(text))
}

// parseFields reads lines of "name value" or "name: value unit". Other lines,
// of which a larger kernel has some, are skipped.
func parseFields(text string) map[string]uint64 {
	fields := make(map[string]uint64)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		if v, err := strconv.ParseUint(f[1], 10, 64); err == nil {
			fields[strings.TrimSuffix(f[0], ":")] = v
		}
	}
	return fields
}
