//go:build !arm

// Command guest runs on an emulated board: see package interrupts.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "this is for 32-bit ARM; 'go test ./qemu/interrupts' boots it")
	os.Exit(1)
}
