package qemu

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestProcessTime: what a process works is counted as it comes, what it waits isn't.
func TestProcessTime(t *testing.T) {
	before, err := processTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; {
		now, err := processTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now < before {
			t.Fatalf("%v after %v", now, before)
		}
		if now > before {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("it stays %v", now)
		}
	}
	const none = 1 << 22 // Linux's numbers are less: PID_MAX_LIMIT
	if d, err := processTime(none); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("of a process that isn't there: %v, %v", d, err)
	}
}
