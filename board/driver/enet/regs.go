package enet

// Registers: IMX6ULRM, ENET memory map and register definition. Offsets are in
// bytes, bits are indented under their register.
const (
	eir         = 0x004   // interrupt event; writing 1 clears a bit
	eirBABR     = 1 << 30 // received a frame longer than RCR.MAX_FL
	eirBABT     = 1 << 29 // sent one
	eirTXF      = 1 << 27 // sent a frame whose descriptor has the INT bit
	eirRXF      = 1 << 25 // received a frame, likewise
	eirMII      = 1 << 23 // an MDIO transfer is complete
	eirEBERR    = 1 << 22 // a bus error stopped the DMA
	eirLC       = 1 << 21 // late collision
	eirRL       = 1 << 20 // collision retry limit
	eirUN       = 1 << 19 // transmit FIFO underrun
	eimr        = 0x008   // interrupt mask: 1 lets the event through
	rdar        = 0x010   // there are empty receive descriptors
	tdar        = 0x014   // there are ready transmit descriptors
	active      = 1 << 24 // the bit of both
	ecr         = 0x024   // control
	ecrRESET    = 1 << 0
	ecrETHEREN  = 1 << 1
	ecrEN1588   = 1 << 4 // enhanced descriptors
	ecrDBSWP    = 1 << 8 // little-endian descriptors
	mmfr        = 0x040  // MDIO frame
	mscr        = 0x044  // MDIO speed
	rcr         = 0x084  // receive control
	rcrDRT      = 1 << 1 // half duplex: don't hear what we send
	rcrMII      = 1 << 2 // must be set
	rcrRMII     = 1 << 8
	rcrRMII10T  = 1 << 9 // 10 Mbit/s
	rcrMAXFL    = 16     // shift: longest frame, with FCS
	tcr         = 0x0c4  // transmit control
	tcrFDEN     = 1 << 2 // full duplex
	palr        = 0x0e4  // own address, first 4 bytes
	paur        = 0x0e8  // own address, last 2 bytes, and the type of PAUSE frames
	iaur        = 0x118  // hash filter for unicast addresses
	ialr        = 0x11c
	gaur        = 0x120 // hash filter for multicast addresses
	galr        = 0x124
	tfwr        = 0x144  // transmit FIFO watermark
	tfwrSTRFWD  = 1 << 8 // send when the whole frame is in the FIFO
	rdsr        = 0x180  // physical address of the receive ring
	tdsr        = 0x184  // physical address of the transmit ring
	mrbr        = 0x188  // size of a receive buffer
	rsfl        = 0x190  // receive FIFO watermark; 0: store and forward
	ftrl        = 0x1b0  // truncate longer frames
	tacc        = 0x1c0  // transmit accelerator
	taccIPCHK   = 1 << 3 // heed the IINS bit of descriptors
	taccPROCHK  = 1 << 4 // heed the PINS bit of descriptors
	racc        = 0x1c4  // receive accelerator
	raccIPDIS   = 1 << 1 // drop frames with a wrong IPv4 header checksum
	raccPRODIS  = 1 << 2 // drop frames with a wrong TCP, UDP or ICMP checksum
	raccLINEDIS = 1 << 6 // drop frames with MAC errors

	// Events that count as errors; linkMonitor looks for them.
	eirErrors = eirBABR | eirBABT | eirEBERR | eirLC | eirRL | eirUN
)

const (
	// bufferSize is that of each frame buffer, received frames are truncated
	// to it. A multiple of 64 bytes keeps buffers apart on the bus.
	bufferSize = 2048
	maxLength  = 2047 // FTRL; a frame always fits into one buffer

	maxFrame = 1522 // header, tag, payload, FCS (IEEE 802.3 clause 3.2.7)
)
