// Command gotest runs the run-programs of the Go toolchain's own test directory
// as images in QEMU: what Go itself demands of a system that Go programs run on.
//
//	go run ./tools/gotest [-run REGEXP] [-j N] [-list] [-dir GOROOT/test]
//
// GOROOT/test holds one program or directory per test; the first line of each
// says what to do with it. Those whose recipe ends in running a program are
// taken from the top level and from chan, ken, interface and typeparam. Each is
// compiled for linux/arm and linked as an image, boots in a machine of its own,
// and has to exit with status 0, having printed exactly what its .out file
// says, or nothing where there is none. The recipes are documented, in code, in
// GOROOT/src/cmd/internal/testdir.
//
// Package tools/image isn't used to build them: the recipes ask for things that
// go build can't do, such as relative imports and packages with chosen paths.
// So gotest does as the recipes' own runner does and drives compiler and linker
// itself, with the linker flags of the board. That also saves the go command's
// start for each of hundreds of programs.
//
// Programs that can't pass, because they need a file system or start other
// programs, are in exceptions.txt, each with the reason. They run all the same:
// an exception that passes is an error, and so is one that names no program.
//
// The exit status is 0 if nothing failed, 1 if something did, and 2 if the
// tests could not be run.
//
// # Files
//
// recipe.go reads the first lines and build constraints, select.go finds the
// programs, exceptions.go reads the list, toolchain.go and build.go make images,
// run.go boots and judges them, main.go does it for all.
package main
