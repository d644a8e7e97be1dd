//go:build imx6ulevk

package board

import "ingot.dev/board/imx6ulevk"

// Name is the board's name; empty in a hosted program.
const Name = imx6ulevk.Name
