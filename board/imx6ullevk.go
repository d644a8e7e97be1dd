//go:build imx6ullevk

package board

import "ingot.dev/board/imx6ullevk"

// Name is the board's name; empty in a hosted program.
const Name = imx6ullevk.Name
