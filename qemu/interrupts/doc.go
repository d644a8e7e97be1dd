// Package interrupts has a test that our assembly for ciphers (package armcrypto) computes
// the same when it is interrupted, at whichever instruction: that the kernel gives a thread
// all its registers back, NEON's among them.
//
// Its guest computes the same in one thread again and again. Another thread sleeps for moments of any
// length, and when it wakes, in the middle of that, computes other things with the same
// registers and sends the first one a signal. QEMU runs one instruction at a time and writes down
// which, and when there is an interrupt (package steps): so the test sees where it
// came, and lets the guest go on until that was everywhere. The signal's handler is Go's
// own, which needs the goroutine's register and stack as they are to be in any Go function.
// Registers and modes that no cipher uses are qemu/selftest's matter.
package interrupts
