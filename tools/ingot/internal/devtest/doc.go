// Package devtest runs the tests of Go packages on an emulated board and reports as
// go test does: a line for each package, what a failed one printed, an exit status.
//
// Each package's test binary becomes an image, which QEMU boots; the next package's
// is built meanwhile. There are no files and no processes on a board, so tests that
// need them have to skip: ingot.dev/internal/testenv is how Ingot's own do.
package devtest
