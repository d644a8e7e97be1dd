package netstack

import (
	"context"
	"net"

	"ingot.dev/net/sntp"
)

// ClockStatus says where the time comes from. Its Server is empty until a time
// server was believed.
type ClockStatus = sntp.Status

// Clock returns what the last time server said.
func (s *Stack) Clock() ClockStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

// runClock keeps the clock right until ctx ends.
func (s *Stack) runClock(ctx context.Context) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return
	}
	sntp.Run(ctx, sntp.Config{
		Servers: s.timeServers,
		Dial: func(ctx context.Context, proto, address string) (net.Conn, error) {
			return s.DialContext(ctx, proto, address)
		},
		Set:   s.config.SetClock,
		Floor: s.config.Floor,
		Synced: func(now sntp.Status) {
			s.mu.Lock()
			s.clock = now
			s.mu.Unlock()
		},
		Log: s.log,
	})
}

func (s *Stack) timeServers() []string {
	if len(s.config.NTP) > 0 {
		return s.config.NTP
	}
	var list []string
	for _, a := range s.Lease().NTP {
		list = append(list, a.String())
	}
	return list
}
