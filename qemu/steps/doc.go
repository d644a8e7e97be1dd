// Package steps is for tests that look at each instruction of some functions: it boots a
// guest in QEMU, which runs one instruction at a time and writes down what it does.
package steps
