package nic_test

import (
	"fmt"
	"testing"

	"ingot.dev/board/nic"
)

func TestLinkStateString(t *testing.T) {
	for _, tt := range []struct {
		state nic.LinkState
		want  string
	}{
		{nic.LinkState{}, "down"},
		{nic.LinkState{Speed: 100, FullDuplex: true}, "down"},
		{nic.LinkState{Up: true}, "up half duplex"},
		{nic.LinkState{Up: true, Speed: 10}, "10 Mbit/s half duplex"},
		{nic.LinkState{Up: true, Speed: 100, FullDuplex: true}, "100 Mbit/s full duplex"},
	} {
		if got := tt.state.String(); got != tt.want {
			t.Errorf("%#v: %q, want %q", tt.state, got, tt.want)
		}
	}
}

func ExampleLinkState() {
	fmt.Println(nic.LinkState{Up: true, Speed: 100, FullDuplex: true})
	// Output: 100 Mbit/s full duplex
}
