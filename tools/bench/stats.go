package bench

import (
	"slices"
	"time"
)

// percentile returns the smallest value that at least p percent of the values
// don't exceed (nearest rank). Zero values have none: 0.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(p / 100 * float64(len(sorted)))
	if float64(rank) < p/100*float64(len(sorted)) {
		rank++
	}
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func median(values []time.Duration) time.Duration { return percentile(values, 50) }

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

// megabytes per second, 10^6.
func mbPerSecond(n int64, d time.Duration) float64 { return float64(n) / 1e6 / d.Seconds() }

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }
