#include "textflag.h"

// int __vdso_clock_gettime(clockid_t id, struct timespec *ts)
//
// Runs in user mode on the caller's stack, called by Go's runtime as a C function:
// R0 and R1 are the arguments, R0 the result, R4 to R11 are kept. It reads the
// page that updateClockPage (clock.go) writes:
//
//	0 seq | 4 mult | 8 base tick | 16 monotonic sec, ns | 24 wall sec, ns
//
// ns since base = ticks*mult >> 24. An update can come between any two
// instructions; seq then differs at the end. For a clock that the page does not
// hold it asks the kernel.
TEXT ·vdsoClockGettime(SB),NOSPLIT|NOFRAME,$0
	MOVW	$0xBFFFE000, R12
	CMP	$1, R0
	BHI	ask
	MOVM.DB.W	[R4-R9], (R13)
	MOVW	$24, R2
	CMP	$1, R0
	MOVW.EQ	$16, R2
	ADD	R12, R2 // where sec and ns are
again:
	MOVW	0(R12), R9
	WORD	$0xf57ff06f // isb: the counter is not read ahead of seq
	WORD	$0xec554f1e // mrrc p15, 1, r4, r5, c14: CNTVCT
	MOVW	8(R12), R6
	MOVW	12(R12), R7
	SUB.S	R6, R4, R4
	SBC	R7, R5, R5 // R5:R4 = ticks
	MOVW	4(R12), R8
	MULLU	R8, R4, (R7, R6) // R7:R6 = low ticks * mult
	MOVW	R6>>24, R6
	ORR	R7<<8, R6
	MOVW	R7>>24, R7
	MULLU	R8, R5, (R3, R8) // R3:R8 = high ticks * mult, to be shifted left by 8
	MOVW	R3<<8, R3
	ORR	R8>>24, R3
	MOVW	R8<<8, R8
	ADD.S	R8, R6
	ADC	R3, R7 // R7:R6 = ns since base
	MOVW	0(R2), R4 // sec
	MOVW	4(R2), R5 // ns
	ADD.S	R5, R6
	ADC	$0, R7
	MOVW	$1000000000, R8
second:
	CMP	$0, R7
	BNE	carry
	CMP	R8, R6
	BLO	split
carry:
	SUB.S	R8, R6
	SBC	$0, R7
	ADD	$1, R4
	B	second
split:
	MOVW	0(R12), R5
	CMP	R5, R9
	BNE	again
	MOVW	R4, 0(R1)
	MOVW	R6, 4(R1)
	MOVW	$0, R0
	MOVM.IA.W	(R13), [R4-R9]
	B	(R14)
ask:
	MOVM.DB.W	[R7], (R13)
	MOVW	$263, R7 // clock_gettime
	SWI	$0
	MOVM.IA.W	(R13), [R7]
	B	(R14)
