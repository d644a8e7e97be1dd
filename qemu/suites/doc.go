// Command suites runs the tests of the packages that are, or can be, part of an image
// on the emulated board, with "ingot test". So what holds on an operating system is
// seen to hold on the kernel, the netstack and the processor of the board too. "make
// board" calls it:
//
//	go run ./qemu/suites [-ingot build/ingot]
//
// The tests run with -short, as an emulated processor is slow, and on our own stack's
// loopback interface (internal/simnet). Tests that need files, programs or an operating
// system's network skip there and say so (internal/testenv). A package of which too
// many are skipped fails: the table in main.go has how many are expected to run.
package main
