package qemu

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const line = "4242 (a ) b (c) S 1 4242 4242 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 4 0 100 1 2"
	d, err := parseStat([]byte(line))
	if d != 1750*time.Millisecond || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	for _, bad := range []string{"", "1 (x) S 1", "1 (x) S 1 2 3 4 5 6 7 8 9 10 x y 13 14"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
