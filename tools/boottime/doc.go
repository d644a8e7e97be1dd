// Package boottime shows what a firmware does from the processor's reset to its first
// TLS handshake, and how many instructions each step takes.
//
// [Trace] boots an image in QEMU with instructions counted, and stops it by GDB's
// protocol where steps begin: at functions of the kernel's, of Go's runtime and of the
// firmware's, and at the initialization of each package. There it asks how many
// instructions were executed. The image is the one that is flashed, but with its symbols: nothing in it
// knows that it is watched.
//
// What is waited for, an answer by DHCP for one, is no instruction and so not to be seen.
package boottime
