// Package problems collects options that cannot be accepted, so that all of them are
// reported at once, as the errors of tlsio report theirs. It is for packages that build
// on tlsio and have options of their own.
package problems
