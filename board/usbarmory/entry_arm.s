#include "textflag.h"

// The image's entry point, with the MMU off: give the kernel the board.
TEXT usbarmory_entry(SB),NOSPLIT|NOFRAME,$0
	MOVW	$·machine(SB), R0
	B	ingot·dev∕kernel·start(SB)
