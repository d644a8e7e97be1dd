package nic

import "strconv"

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
	return strconv.Itoa(s.Speed) + " Mbit/s " + duplex + " duplex"
}
