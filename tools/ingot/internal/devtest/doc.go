// Package devtest runs the tests of Go packages on an emulated board.
//
// It is "go test" that runs them: that builds each package's test binary, an image
// (ingot.dev/tools/image), and runs it with a program named by -exec, which is this
// one again (Boot) and boots the image in QEMU. So what is printed, in which order, the exit
// status, -json, and what runs beside what, are go test's own.
//
// On a board there are no processes, and no files but the null and random devices.
// Tests that need them have to skip: ingot.dev/internal/testenv is how Ingot's own do.
package devtest
