package firmware

import (
	"log/slog"
	"net"
	"slices"
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

// MaxConnections is how many connections the program's memory limit has room for,
// whatever their peers do; 0, which is no limit, where the program has none, as when
// it is hosted.
func MaxConnections() int { return maxConnections() }

// Refusals returns a tlsio.TLSOptions.OnRefused that logs. What comes faster than a
// console can show is counted, and the next line says how much it was.
func Refusals(log *slog.Logger, service string) func(remote net.Addr, err error) {
	return newRefusals(log, service).refused
}
