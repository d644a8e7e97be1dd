// Package problems collects options that can't be accepted, so that all of them are
// reported at once.
package problems
