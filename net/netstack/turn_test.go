package netstack

import (
	"testing"
	"time"
)

// Who writes gives way once in a while, if somebody waits: after no more than turnTime and
// turnBytes, however small the pieces are.
func TestTurns(t *testing.T) {
	for _, tt := range []struct {
		name   string
		piece  int           // bytes
		took   time.Duration // to make it
		urgent bool
		most   int // pieces from one turn of others to the next
	}{
		{"records", 16 << 10, 220 * time.Microsecond, true, 5},
		{"slow records", 16 << 10, 5 * time.Millisecond, true, 1},
		{"small pieces", 64, 2 * time.Microsecond, true, 2 * turnBytes / 64},
		{"large pieces", 1 << 20, 3 * time.Millisecond, true, 1},
		{"nobody waits", 16 << 10, 220 * time.Microsecond, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var now time.Duration
			yields, since, asked := 0, 0, 0
			var turns turns
			turns.now = func() time.Duration { return now }
			turns.urgent = func() bool { asked++; return tt.urgent }
			turns.yield = func() { yields++; since = 0 }
			for range 2000 {
				now += tt.took
				since++
				turns.wrote(tt.piece)
				if tt.urgent && since > tt.most {
					t.Fatalf("%d pieces without a turn of others", since)
				}
			}
			if tt.urgent && yields == 0 || !tt.urgent && yields > 0 {
				t.Errorf("gave way %d times", yields)
			}
			if elapsed := 2000 * tt.took; asked == 0 || asked > int(elapsed/turnTime) {
				t.Errorf("looked %d times in %v", asked, elapsed)
			}
		})
	}
}
