//go:build !linux

package atomicfile

// exchange has two paths change places at once; ok is false where that can't be done.
func exchange(a, b string) (ok bool, err error) { return false, nil }
