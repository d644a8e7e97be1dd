package certs

// sort puts s in order by insertion, and keeps the order of equals. What is sorted
// here has a few entries, for which package slices would bring ten times the code,
// again for each type.
func sort[T any](s []T, less func(a, b T) bool) {
	for i := range s {
		for j := i; j > 0 && less(s[j], s[j-1]); j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

func alphabetic(a, b string) bool { return a < b }
