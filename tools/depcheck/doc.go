// Package depcheck keeps the list of packages that the default firmware is
// linked from, deps.txt, and a test that compares it with what the go command
// says. A package that slips into the image through somebody else's import is
// then seen in review, beside the change that brought it.
//
// The list holds every package outside the standard library, and of the
// standard library what those packages import directly; the rest of it differs
// between Go releases.
//
// After an intended change:
//
//	go test ./tools/depcheck -update
package depcheck
