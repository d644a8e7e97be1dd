package bench

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	for _, tt := range []struct {
		stat string
		want time.Duration
		ok   bool
	}{
		{"42 (qemu) S 1 42 42 0 -1 4194560 1 0 0 0 150 50 7 7 20 0 3 0 9\n", 2 * time.Second, true},
		{"42 (a) b) c) S 1 42 42 0 -1 4194560 1 0 0 0 1 0 7 7 20\n", 10 * time.Millisecond, true},
		{"", 0, false},
		{"42 (qemu", 0, false},
		{"42 (qemu) S 1 42", 0, false},
		{"42 (qemu) S 1 42 42 0 -1 4194560 1 0 0 0 x 50\n", 0, false},
	} {
		got, err := parseStat([]byte(tt.stat))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: %v, %v", tt.stat, got, err)
		}
	}
	if _, err := processTime(os.Getpid()); err != nil {
		t.Error(err)
	}
	if _, err := processTime(-1); err == nil {
		t.Error("process -1 has a time")
	}
}
