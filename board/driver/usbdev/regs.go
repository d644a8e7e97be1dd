package usbdev

// Registers, by their offsets from the controller's base. IMX6ULRM, chapter "Universal
// Serial Bus Controller (USB)", "USB Core Memory Map/Register Definition".
const (
	usbcmd  = 0x140
	cmdRS   = 1 << 0  // run: the pull-up is on
	cmdRST  = 1 << 1  // reset, until it reads 0
	cmdSUTW = 1 << 13 // setup tripwire
	// The add-dTD tripwire. Editions of the family's manuals, and headers made from them,
	// have it at bit 12; an i.MX53 and an i.MX RT1050 didn't keep that one, and did keep 14
	// (community.nxp.com, "ATDTW Bit in USB Command Register (again)", 2018), which Linux
	// uses for all of them (drivers/usb/chipidea/bits.h).
	cmdATDTW = 1 << 14

	usbsts = 0x144  // write 1 to clear; usbintr has the same bits
	stsUI  = 1 << 0 // a transfer or a setup packet
	stsUEI = 1 << 1 // a transfer with an error
	stsPCI = 1 << 2 // end of a reset or of a suspension
	stsSEI = 1 << 4 // bus error of the controller's DMA
	stsURI = 1 << 6 // reset by the host
	stsSLI = 1 << 8 // suspended

	usbintr = 0x148

	deviceaddr  = 0x154
	addrUSBADR  = 25      // the address's position
	addrUSBADRA = 1 << 24 // takes effect after the next IN of endpoint 0

	endptlistaddr = 0x158

	portsc1  = 0x184
	portHSP  = 1 << 9
	portPR   = 1 << 8
	portSUSP = 1 << 7

	otgsc = 0x1a4
	otgOT = 1 << 3 // OTG termination: set in device mode

	usbmode    = 0x1a8
	modeDevice = 2 << 0
	modeSLOM   = 1 << 3 // no lock-out of setup packets: the tripwire is used instead
	// No streaming: a buffer takes a whole packet before it goes on. Against NXP's erratum
	// ERR007881, which the i.MX6UL and i.MX6ULL have, as in Linux
	// (drivers/usb/chipidea/ci_hdrc_imx.c, imx6ul_usb_data).
	modeSDIS = 1 << 4
	modeCM   = 3 << 0

	// In these, OUT endpoint n is bit n, IN endpoint n is bit 16+n.
	endptsetupstat = 0x1ac // OUT half only; write 1 to clear
	endptprime     = 0x1b0
	endptflush     = 0x1b4
	endptstat      = 0x1b8 // primed and ready
	endptcomplete  = 0x1bc // write 1 to clear

	endptctrl = 0x1c0 // of endpoint n: + 4n
	// The OUT half; the IN half is the same, 16 bits higher.
	ctrlStall  = 1 << 0
	ctrlType   = 2      // position of the type, as in bmAttributes of descriptors
	ctrlToggle = 1 << 6 // write 1: the next packet is DATA0
	ctrlEnable = 1 << 7
)

const interrupts = stsUI | stsUEI | stsPCI | stsSEI | stsURI | stsSLI
