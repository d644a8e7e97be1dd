// Command selftest is a program for the real kernel: it tries what Go and its
// users rely on, and what the kernel must refuse. With an argument it runs that
// check only; some, which end the program, run only so.
package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	_ "ingot.dev/board"
)

// A check returns what went wrong.
type check struct {
	name string
	run  func() error
}

func main() {
	failed := 0
	names := os.Args[1:]
	for _, c := range slices.Concat(checks, endings) {
		ends := slices.ContainsFunc(endings, func(e check) bool { return e.name == c.name })
		if len(names) == 0 && ends || len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		start := time.Now()
		if err := c.run(); err != nil {
			fmt.Printf("FAIL %s: %v\n", c.name, err)
			failed++
			continue
		}
		fmt.Printf("ok   %s (%v)\n", c.name, time.Since(start).Round(time.Microsecond))
	}
	fmt.Printf("selftest: %d failed\n", failed)
	if failed > 0 {
		os.Exit(1)
	}
}
