//go:build !bench

package main

import (
	"context"

	"ingot.dev/firmware"
	"ingot.dev/tlsio"
)

// extra is what an image offers besides the echo: nothing, if it is meant to be
// used.
func extra(*tlsio.TLSOptions) ([]firmware.Service, func(context.Context, *firmware.System) error) {
	return nil, nil
}
