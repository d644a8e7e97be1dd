package nic

import "fmt"

// LinkState is what the two ends of a link agreed on.
type LinkState struct {
	Up         bool
	Speed      int // Mbit/s; 0 when down or unknown
	FullDuplex bool
}

// String returns a form for logs: "down", "100 Mbit/s full duplex".
func (s LinkState) String() string {
	if !s.Up {
		return "down"
	}
	duplex := "half"
	if s.FullDuplex {
		duplex = "full"
	}
	if s.Speed == 0 {
		return "up " + duplex + " duplex"
	}
	return fmt.Sprintf("%d Mbit/s %s duplex", s.Speed, duplex)
}
