// Package sizes says what an image is made of: its bytes by part (kernel, Go's
// runtime, netstack, TLS and so on), by package, and as a picture.
//
// Sizes of code and data come from the symbol table, so the image has to be built
// with one. The runtime's tables about functions (.gopclntab) have no symbols; they
// are divided by the number and the names of functions, and what is left over by the
// size of code.
package sizes
