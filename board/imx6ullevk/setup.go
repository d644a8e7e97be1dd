package imx6ullevk

import (
	"ingot.dev/board/imx6ul"
	"ingot.dev/kernel"
)

// SetUp is what the board needs when its boot ROM has started the image. MDIO, which the
// two PHYs share, is ENET1's.
var SetUp = []*kernel.Steps{
	&imx6ul.Bridges, &imx6ul.Bridge3, &imx6ul.Counter, &imx6ul.UARTClock, &imx6ul.UART1,
	&imx6ul.ExpanderPadsULL, &imx6ul.Expander, &imx6ul.EthernetPLL, &imx6ul.Ethernet1,
}

// Noise is what the kernel's random numbers come from without a seed.
var Noise = []kernel.NoiseSource{
	{Kind: kernel.NoiseRNGB, Base: imx6ul.RNGB, Absent: &imx6ul.NoRNGB},
}
