//go:build !bench

package main

import "ingot.dev/firmware"

// extra services: none in an image that is meant to be used.
func extra() []firmware.Service { return nil }
