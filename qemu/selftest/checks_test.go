//go:build imx6ulevk

package main

import "testing"

// TestOnBoard runs the checks in a test binary that is an image, beside the testing
// package's own goroutines.
func TestOnBoard(t *testing.T) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(); err != nil {
				t.Error(err)
			}
		})
	}
}
