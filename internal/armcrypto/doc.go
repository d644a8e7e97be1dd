// Package armcrypto holds ARM assembly for cryptography of Go's standard library, which
// has none for GOARCH=arm, and says where it goes.
//
// Each folder is a package of its own that does one thing: Go declarations and assembly
// (*_arm.go, *_arm.s), tests, and std.go, which fits them into the package of the
// standard library. Package image has the go command see these files there (go help
// build, -overlay), in toolchains whose files are those that they were written against.
// Nothing is imported: crypto/tls and all that is above it stay as they are.
//
// Rules for the assembly, beside those of Go's assembler ([docs/ciphers.md] has the
// reasons):
//
//   - No branch, no address and no instruction whose time varies depends on a secret.
//   - R10 (g) is left alone, and nothing is kept below SP: a signal or an interrupt may
//     come at every instruction.
//   - A call is bounded (a few KB of data), and its function has a prologue that looks
//     for preemption: it is not NOSPLIT. Go code goes through what is longer.
//
// [docs/ciphers.md]: https://ingot.dev/docs/ciphers
package armcrypto
