// Package image builds a Go program into an image that boots on a board.
//
// The work is done by the stock toolchain: an image is what
//
//	GOOS=linux GOARCH=arm GOARM=7 CGO_ENABLED=0 go build -trimpath \
//	    -tags imx6ulevk -ldflags "-s -w -T 0x80010000 -R 0x1000 -E imx6ulevk_entry" PKG
//
// produces when PKG imports ingot.dev/board, which under a board's tag brings
// in the kernel and the board. Build adds that import to programs that don't
// have it, by an overlay file that exists only for the compiler: any main
// package can be built unchanged, and with PrepareTests the tests of any package. It tells
// package firmware, by -X, a time below which a board's clock never goes. And it checks
// the result against the board's budget.
//
// Two things make images a quarter smaller than that command does: inlining is left to
// where it makes programs faster (inline.go), and what the linker keeps for no use to a
// board is cut loose, in some files of the standard library and gVisor, as the
// compiler reads them (cuts.go). What a program can only need by naming it is cut if none
// of its sources does (named.go). A host without a POSIX shell does without the cuts, and
// so does who brings a -toolexec of their own (Options.Flags) or asks for Stock.
//
// Cryptography of the standard library that has no assembly for ARM gets ours (asm.go,
// and package armcrypto), by the overlay too: with Go releases that it was checked with,
// and unless Options.NoARMAsm or Stock says otherwise.
//
// The same sources give the same bytes in any folder, on any day. That time is the
// newest certificate's, or SOURCE_DATE_EPOCH. Where a go.mod replaces a module by a folder
// of this machine, as 'ingot new' may have written it, the program is built in a
// workspace (go.work), which keeps the folder's name out of the image; Image.Folders has
// those for which that can't be done.
package image
