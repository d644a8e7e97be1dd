#include "textflag.h"

// One access each, of the width that the device expects, with the barriers
// that doc.go promises. The assembler has no DSB (ARM Architecture Reference
// Manual ARMv7-A, A8.8.44); both barriers are allowed in user mode.

#define DSB_SY WORD $0xf57ff04f
#define DMB_SY WORD $0xf57ff05f

// func load32(p unsafe.Pointer) uint32
TEXT ·load32(SB),NOSPLIT,$0-8
	MOVW	p+0(FP), R0
	MOVW	(R0), R1
	DMB_SY
	MOVW	R1, ret+4(FP)
	RET

// func store32(p unsafe.Pointer, v uint32)
TEXT ·store32(SB),NOSPLIT,$0-8
	MOVW	p+0(FP), R0
	MOVW	v+4(FP), R1
	DSB_SY
	MOVW	R1, (R0)
	RET

// func load16(p unsafe.Pointer) uint16
TEXT ·load16(SB),NOSPLIT,$0-6
	MOVW	p+0(FP), R0
	MOVHU	(R0), R1
	DMB_SY
	MOVH	R1, ret+4(FP)
	RET

// func store16(p unsafe.Pointer, v uint16)
TEXT ·store16(SB),NOSPLIT,$0-6
	MOVW	p+0(FP), R0
	MOVHU	v+4(FP), R1
	DSB_SY
	MOVH	R1, (R0)
	RET
