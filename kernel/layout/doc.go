// Package layout is the map of a machine's memory: where the kernel puts the program
// and itself. The kernel takes its addresses from here; so do the tools that draw the
// map, and the test that compares the table in docs/architecture.md with it.
package layout
