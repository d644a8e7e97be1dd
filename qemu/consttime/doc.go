// Package consttime has a test that our assembly for ciphers (package armcrypto) takes
// the same instructions and looks at the same memory whatever the secrets are.
//
// Its guest computes, on the emulated board, with one secret after the other. QEMU runs one
// instruction at a time and writes down the registers before each of those that lie in
// our functions (package steps). A trace is the addresses of the
// instructions, and those in the registers by which they load and store. All traces of an
// operation have to be equal.
//
// The processor's own instructions aren't judged: that additions and multiplications take
// as long for all operands is ARM's to say. There are no divisions.
package consttime
