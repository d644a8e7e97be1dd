// Package serial opens the serial port that a board's console is connected to: raw, 8
// data bits, no parity, one stop bit, no flow control.
package serial
