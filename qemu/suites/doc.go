// Package suites has no code: its tests run the tests of other packages in QEMU, as
// images for the board. So what holds on an operating system is seen to hold on the
// kernel, the netstack and the processor of the board too.
//
// A suite runs on our stack's loopback interface (INGOT_TEST_NETWORK=netstack, see
// internal/simnet), with -test.short, as there is no operating system below it and
// an emulated processor is slow. Tests that need files or programs skip there and
// say so (internal/testenv); a suite of which too much is skipped fails.
package suites
