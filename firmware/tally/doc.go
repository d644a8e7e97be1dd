// Package tally counts what a service does, for those who want to know: package status
// shows it. Counting costs an atomic addition, and nobody has to read.
package tally
