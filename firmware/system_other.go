//go:build !linux

package firmware

import (
	"errors"
	"time"
)

// hasEntropy: a hosted program's operating system looks after that.
func hasEntropy() bool { return true }

func setClock(time.Time) error { return errors.ErrUnsupported }
