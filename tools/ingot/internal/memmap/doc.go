// Package memmap draws the memory map of an image: the kernel's own table
// (ingot.dev/kernel/layout) with the segments of the image in it.
package memmap
