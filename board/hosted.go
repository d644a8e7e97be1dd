//go:build !imx6ulevk

package board

// Name is the board's name; empty in a hosted program.
const Name = ""
