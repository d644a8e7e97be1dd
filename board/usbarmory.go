//go:build usbarmory

package board

import "ingot.dev/board/usbarmory"

// Name is the board's name; empty in a hosted program.
const Name = usbarmory.Name
