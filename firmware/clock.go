package firmware

import (
	"fmt"
	"time"
)

// buildTime is set by the linker: -X ingot.dev/firmware.buildTime=SECONDS, the
// seconds since 1970 of the build or, for reproducible builds, of the source.
var buildTime string

// buildFloor is the earliest that it can be, or zero if nobody told the linker.
func buildFloor() time.Time {
	if sec := parseSeconds(buildTime); sec > 0 {
		return time.Unix(sec, 0)
	}
	return time.Time{}
}

func parseSeconds(s string) int64 {
	n := int64(0)
	for _, c := range []byte(s) {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// startClock moves the clock to floor if it is before it, and says where the time
// now comes from.
func startClock(now time.Time, floor time.Time, set func(time.Time) error) (source string, err error) {
	if !now.Before(floor) {
		return "the boot loader", nil
	}
	if err := set(floor); err != nil {
		return "", fmt.Errorf("the clock says %v, before this image was built, and can't be set: %w", now.UTC().Format(time.RFC3339), err)
	}
	return "the build: no better source yet", nil
}
