package firmware

import (
	"log/slog"
	"net"
	"os"
	"slices"

	"ingot.dev/board"
	"ingot.dev/tlsio"
)

// What packages of services need of a system. These are functions, not methods: a
// method that nobody calls still costs an image the description of it.

// Register makes part known to whoever asks for Parts: so services find out about each
// other, as package status does about the tallies of all.
func Register(s *System, part any) {
	s.partsMu.Lock()
	defer s.partsMu.Unlock()
	s.parts = append(s.parts, part)
}

// Parts returns what was registered with a system, in that order.
func Parts(s *System) []any {
	s.partsMu.Lock()
	defer s.partsMu.Unlock()
	return slices.Clone(s.parts)
}

// TimeSource says where the clock's time came from when the system started, before any
// time server was asked; empty when hosted.
func TimeSource(s *System) string { return s.timeSource }

// EntropySource says what has seeded the kernel's random numbers: the boot parameters,
// the processor's noise (CAAM, RNGB), or several of them with commas; empty when hosted.
func EntropySource(s *System) string {
	if board.Name == "" {
		return ""
	}
	return os.Getenv("INGOT_ENTROPY") // of the kernel's making
}

// MaxConnections is how many connections the program's memory limit has room for,
// whatever their peers do; 0, which is no limit, where the program has none, as when
// it is hosted.
func MaxConnections() int { return maxConnections() }

// HandshakeRate is what services have that name none: about half of what an i.MX6UL can
// do, and for a while as many as come when all who were connected come again. There is no
// limit when the program is hosted.
func HandshakeRate() tlsio.HandshakeRate {
	if board.Name == "" {
		return tlsio.HandshakeRate{}
	}
	return tlsio.HandshakeRate{PerSecond: 20, Burst: 100}
}

// Refusals returns a tlsio.TLSOptions.OnRefused that logs. What comes faster than a
// console can show is counted, and the next line says how much it was.
func Refusals(log *slog.Logger, service string) func(remote net.Addr, err error) {
	return newRefusals(log, service).refused
}
