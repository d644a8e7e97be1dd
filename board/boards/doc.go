// Package boards is the table of the boards Ingot builds for: what the linker,
// the emulator and the size check have to know about each of them.
//
// It is plain data without imports of target code, so that tools on the host
// can use it. What the running image knows about its board is in
// board/<name>; a test keeps the two in agreement where they overlap.
package boards
