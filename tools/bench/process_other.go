//go:build !linux

package bench

import (
	"errors"
	"time"
)

// processTime returns the processor time that a process has taken so far.
func processTime(int) (time.Duration, error) { return 0, errors.ErrUnsupported }
