//go:build !imx6ulevk && !imx6ullevk && !usbarmory

package board

// Name is the board's name; empty in a hosted program.
const Name = ""
