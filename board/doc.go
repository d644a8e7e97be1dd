// Package board is the board that the program was built for.
//
// The build tag picks it (imx6ulevk, imx6ullevk, usbarmory): the board's package is then part of the
// program, and with it the kernel. Without a tag the program is hosted: it runs as
// a process of the operating system.
package board
