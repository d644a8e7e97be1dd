package usbarmory

import (
	"ingot.dev/board/imx6ul"
	"ingot.dev/kernel"
)

// SetUp is what the board needs when its boot ROM has started the image.
var SetUp = []*kernel.Steps{
	&imx6ul.Bridges, &imx6ul.Bridge3, &imx6ul.Counter, &imx6ul.UARTClock, &imx6ul.UART2,
	&imx6ul.EthernetPLL, &imx6ul.Ethernet2, &imx6ul.USB1, &lights,
}

// lights makes GPIOs of the LEDs' pads, and leaves the LEDs off: they are between the
// supply and the pad. Chapter "General Purpose Input/Output (GPIO)".
var lights = kernel.Steps{
	{0x020E01E4, kernel.AllBits, 5},      // CSI_DATA00: ALT5, GPIO4_IO21
	{0x020E0470, kernel.AllBits, 0x10b0}, // pad: keeper, 40 ohm
	{0x020E01E8, kernel.AllBits, 5},      // CSI_DATA01: ALT5, GPIO4_IO22
	{0x020E0474, kernel.AllBits, 0x10b0},
	{0x020A8000, White | Blue, White | Blue}, // GPIO4_DR: high
	{0x020A8004, White | Blue, White | Blue}, // GPIO4_GDIR: outputs
}

// The LEDs' bits of GPIO4. A LED shines when its bit is 0.
const (
	White = 1 << 21
	Blue  = 1 << 22
)

// Noise is what the kernel's random numbers come from without a seed.
var Noise = []kernel.NoiseSource{
	{Kind: kernel.NoiseCAAM, Base: imx6ul.CAAM, Absent: &imx6ul.NoCAAM},
	{Kind: kernel.NoiseRNGB, Base: imx6ul.RNGB, Absent: &imx6ul.NoRNGB},
}
