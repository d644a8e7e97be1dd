#include "textflag.h"

// The field of P-256 with words of 32 bits, least significant first, in Montgomery's
// domain with R = 2^256. Numbers are less than
//
//	p = 2^256 - 2^224 + 2^192 + 2^96 - 1
//
// No branch and no address depends on them. R10 is Go's, and R11 nobody's here, since no
// instruction below is one that the assembler makes of several.

// UMAAL multiplies n by m and adds lo and hi to the product, which always fits hi:lo. Go's
// assembler doesn't have it. Its arguments are numbers of registers.
#define UMAAL(lo, hi, n, m) WORD $(0xe0400090 | (hi)<<16 | (lo)<<12 | (m)<<8 | (n))

// ROW adds a · (b3:b2:b1:b0) to t3:t2:t1:t0 and c. It puts the lowest word into word i of
// the frame; c:t3:t2:t1 are left for the next row.
#define ROW(i, a, b0, b1, b2, b3, t0, t1, t2, t3, c) \
	UMAAL(t0, c, a, b0); \
	UMAAL(t1, c, a, b1); \
	UMAAL(t2, c, a, b2); \
	UMAAL(t3, c, a, b3); \
	MOVW	R(t0), (4+4*i)(R13)

// FOLD divides by 2^128: the words 0 to 11 of the frame become R9:R8:...:R1. The quotient
// is the four lowest words with the first added to the fourth, m, since p is -1 + 2^96
// modulo 2^128: added m times, p makes them zero. That adds, counted from the fifth word,
//
//	m / 2^32 + cy + (2^64 - 2^32 + 1) · m · 2^64
//
// where cy is what that addition carried.
#define FOLD \
	ADD	$4, R13, R0; \
	MOVM.IA.W	(R0), [R2-R5]; \
	ADD.S	R2, R5; \
	MOVW	$0, R14; \
	ADC	$0, R14; \
	ADD.S	R2, R5, R6; \
	ADC.S	$0, R3, R7; \
	ADC.S	R2, R4, R8; \
	ADC.S	R3, R5, R9; \
	ADC.S	$0, R4, R11; \
	ADC	$0, R5, R12; \
	SUB.S	R2, R7; \
	SBC.S	R3, R8; \
	SBC.S	R4, R9; \
	SBC.S	R5, R11; \
	SBC	$0, R12; \
	MOVM.IA.W	(R0), [R1-R2]; \
	CMP	$1, R14; \
	ADC.S	R3, R1; \
	ADC.S	R4, R2; \
	MOVM.IA.W	(R0), [R3-R4]; \
	ADC.S	R6, R3; \
	ADC.S	R7, R4; \
	MOVM.IA.W	(R0), [R5-R6]; \
	ADC.S	R8, R5; \
	ADC.S	R9, R6; \
	MOVM.IA.W	(R0), [R7-R8]; \
	ADC.S	R11, R7; \
	ADC.S	R12, R8; \
	MOVW	$0, R9; \
	ADC	$0, R9

// REDUCE subtracts p from R9:...:R1, which is less than 2p, if it can.
#define REDUCE \
	MVN	$0, R11; \
	SUB.S	R11, R1; \
	SBC.S	R11, R2; \
	SBC.S	R11, R3; \
	SBC.S	$0, R4; \
	SBC.S	$0, R5; \
	SBC.S	$0, R6; \
	SBC.S	$1, R7; \
	SBC.S	R11, R8; \
	SBC	$0, R9; \
	ADDP

// ADDP adds p to R8:...:R1 if R9 is -1, and nothing if it is 0.
#define ADDP \
	ADD.S	R9, R1; \
	ADC.S	R9, R2; \
	ADC.S	R9, R3; \
	ADC.S	$0, R4; \
	ADC.S	$0, R5; \
	ADC.S	$0, R6; \
	ADC.S	R9>>31, R7; \
	ADC	R9, R8

// LOWER multiplies what is at R0 by the lower half of what is at R1: words 0 to 11 of the
// frame. R0 and R1 move on behind what was read.
#define LOWER \
	MOVM.IA.W	(R1), [R2-R5]; \
	MOVW	$0, R8; \
	MOVW	$0, R9; \
	MOVW	$0, R11; \
	MOVW	$0, R12; \
	MOVM.IA.W	(R0), [R6-R7]; \
	MOVW	$0, R14; \
	ROW(0, 6, 2, 3, 4, 5,  8,  9, 11, 12, 14); \
	MOVW	$0, R8; \
	ROW(1, 7, 2, 3, 4, 5,  9, 11, 12, 14,  8); \
	MOVM.IA.W	(R0), [R6-R7]; \
	MOVW	$0, R9; \
	ROW(2, 6, 2, 3, 4, 5, 11, 12, 14,  8,  9); \
	MOVW	$0, R11; \
	ROW(3, 7, 2, 3, 4, 5, 12, 14,  8,  9, 11); \
	MOVM.IA.W	(R0), [R6-R7]; \
	MOVW	$0, R12; \
	ROW(4, 6, 2, 3, 4, 5, 14,  8,  9, 11, 12); \
	MOVW	$0, R14; \
	ROW(5, 7, 2, 3, 4, 5,  8,  9, 11, 12, 14); \
	MOVM.IA.W	(R0), [R6-R7]; \
	MOVW	$0, R8; \
	ROW(6, 6, 2, 3, 4, 5,  9, 11, 12, 14,  8); \
	MOVW	$0, R9; \
	ROW(7, 7, 2, 3, 4, 5, 11, 12, 14,  8,  9); \
	MOVW	R12, 36(R13); \
	MOVW	R14, 40(R13); \
	MOVW	R8, 44(R13); \
	MOVW	R9, 48(R13)

// func p256MulARM(out, a, b *p256MontgomeryDomainFieldElement)
TEXT ·p256MulARM(SB), NOSPLIT, $52-12
	MOVW	a+4(FP), R0
	MOVW	b+8(FP), R1
	LOWER
	FOLD

	// What is left, and a times the upper half of b: words of the former come in by
	// the first row, as far as it goes, and then as the lowest words of the others.
	SUB	$16, R0
	MOVM.IA	[R5-R9], (R0)
	MOVW	a+4(FP), R0
	MOVW	b+8(FP), R14
	ADD	$16, R14
	MOVM.IA	(R14), [R8, R9, R11, R12]
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R5
	ROW(0, 6, 8, 9, 11, 12, 1, 2, 3, 4, 5)
	MOVW	$0, R1
	ROW(1, 7, 8, 9, 11, 12, 2, 3, 4, 5, 1)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R2
	ROW(2, 6, 8, 9, 11, 12, 3, 4, 5, 1, 2)
	MOVW	$0, R3
	ROW(3, 7, 8, 9, 11, 12, 4, 5, 1, 2, 3)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	36(R13), R4
	ROW(4, 6, 8, 9, 11, 12, 5, 1, 2, 3, 4)
	MOVW	40(R13), R5
	ROW(5, 7, 8, 9, 11, 12, 1, 2, 3, 4, 5)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	44(R13), R1
	ROW(6, 6, 8, 9, 11, 12, 2, 3, 4, 5, 1)
	MOVW	48(R13), R2
	ROW(7, 7, 8, 9, 11, 12, 3, 4, 5, 1, 2)
	MOVW	52(R13), R3
	ADD.S	R3, R4
	ADC.S	$0, R5
	ADC.S	$0, R1
	ADC	$0, R2
	MOVW	R4, 36(R13)
	MOVW	R5, 40(R13)
	MOVW	R1, 44(R13)
	MOVW	R2, 48(R13)
	FOLD
	REDUCE
	MOVW	out+0(FP), R0
	MOVM.IA	[R1-R8], (R0)
	RET

// func p256AddARM(out, a, b *p256MontgomeryDomainFieldElement)
TEXT ·p256AddARM(SB), NOSPLIT, $0-12
	MOVW	a+4(FP), R0
	MOVM.IA	(R0), [R1-R8]
	MOVW	b+8(FP), R0
	MOVM.IA.W	(R0), [R9, R11, R12]
	ADD.S	R9, R1
	ADC.S	R11, R2
	ADC.S	R12, R3
	MOVM.IA.W	(R0), [R9, R11, R12]
	ADC.S	R9, R4
	ADC.S	R11, R5
	ADC.S	R12, R6
	MOVM.IA.W	(R0), [R9, R11]
	ADC.S	R9, R7
	ADC.S	R11, R8
	MOVW	$0, R9
	ADC	$0, R9
	REDUCE
	MOVW	out+0(FP), R0
	MOVM.IA	[R1-R8], (R0)
	RET

// func p256SubARM(out, a, b *p256MontgomeryDomainFieldElement)
TEXT ·p256SubARM(SB), NOSPLIT, $0-12
	MOVW	a+4(FP), R0
	MOVM.IA	(R0), [R1-R8]
	MOVW	b+8(FP), R0
	MOVM.IA.W	(R0), [R9, R11, R12]
	SUB.S	R9, R1
	SBC.S	R11, R2
	SBC.S	R12, R3
	MOVM.IA.W	(R0), [R9, R11, R12]
	SBC.S	R9, R4
	SBC.S	R11, R5
	SBC.S	R12, R6
	MOVM.IA.W	(R0), [R9, R11]
	SBC.S	R9, R7
	SBC.S	R11, R8
	SBC	R9, R9
	ADDP
	MOVW	out+0(FP), R0
	MOVM.IA	[R1-R8], (R0)
	RET

// The order of the group, n, and -1/n modulo 2^32.
#define N0 $0xfc632551
#define N1 $0xf3b9cac2
#define N2 $0xa7179e84
#define N3 $0xbce6faad
#define N4 $0xffffffff
#define N5 $0xffffffff
#define N6 $0
#define N7 $0xffffffff
#define NINV $0xee00bc4f

// TERM adds m · n to t and c, which becomes the upper word.
#define TERM(n, t, c) \
	MOVW	n, R14; \
	UMAAL(t, c, 11, 14)

// REDUCEROW adds that multiple of n to e:t7:...:t0 which makes t0 zero, and word i of the
// frame to e; c is zero. Then c:e:t7:...:t1 are what is left, and t0 is zero. R0 is 1.
#define REDUCEROW(i, t0, t1, t2, t3, t4, t5, t6, t7, e, c) \
	MOVW	NINV, R14; \
	MUL	R14, R(t0), R11; \
	TERM(N0, t0, c); \
	TERM(N1, t1, c); \
	TERM(N2, t2, c); \
	TERM(N3, t3, c); \
	TERM(N4, t4, c); \
	TERM(N5, t5, c); \
	TERM(N6, t6, c); \
	TERM(N7, t7, c); \
	MOVW	(4+4*i)(R13), R14; \
	UMAAL(e, c, 14, 0)

// SUBWORD and ADDWORD are for the subtraction of n, and its taking back if R7 is -1.
#define SUBWORD(n, t) \
	MOVW	n, R14; \
	SBC.S	R14, t

#define ADDWORD(n, t) \
	MOVW	n, R14; \
	AND	R7, R14; \
	ADC.S	R14, t

// func p256OrdMul(out, a, b *[4]uint64)
//
// This is modulo n, of whose words but one half are like those of p.
TEXT ·p256OrdMul(SB), NOSPLIT, $64-12
	MOVW	a+4(FP), R0
	MOVW	b+8(FP), R1
	LOWER

	// By the upper half; words that are there already come in by the first row, as
	// far as it goes, and then as the lowest words of the others.
	SUB	$32, R0
	MOVM.IA	(R1), [R2-R5]
	ADD	$20, R13, R14
	MOVM.IA	(R14), [R8, R9, R11, R12]
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R14
	ROW(4, 6, 2, 3, 4, 5,  8,  9, 11, 12, 14)
	MOVW	$0, R8
	ROW(5, 7, 2, 3, 4, 5,  9, 11, 12, 14,  8)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R9
	ROW(6, 6, 2, 3, 4, 5, 11, 12, 14,  8,  9)
	MOVW	$0, R11
	ROW(7, 7, 2, 3, 4, 5, 12, 14,  8,  9, 11)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	36(R13), R12
	ROW(8, 6, 2, 3, 4, 5, 14,  8,  9, 11, 12)
	MOVW	40(R13), R14
	ROW(9, 7, 2, 3, 4, 5,  8,  9, 11, 12, 14)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	44(R13), R8
	ROW(10, 6, 2, 3, 4, 5,  9, 11, 12, 14,  8)
	MOVW	48(R13), R9
	ROW(11, 7, 2, 3, 4, 5, 11, 12, 14,  8,  9)
	MOVW	R12, 52(R13)
	MOVW	R14, 56(R13)
	MOVW	R8, 60(R13)
	MOVW	R9, 64(R13)

	ADD	$4, R13, R0
	MOVM.IA	(R0), [R1-R8]
	MOVW	$1, R0
	MOVW	$0, R9
	MOVW	$0, R12
	REDUCEROW(8,   1,  2,  3,  4,  5,  6,  7,  8,  9, 12)
	REDUCEROW(9,   2,  3,  4,  5,  6,  7,  8,  9, 12,  1)
	REDUCEROW(10,  3,  4,  5,  6,  7,  8,  9, 12,  1,  2)
	REDUCEROW(11,  4,  5,  6,  7,  8,  9, 12,  1,  2,  3)
	REDUCEROW(12,  5,  6,  7,  8,  9, 12,  1,  2,  3,  4)
	REDUCEROW(13,  6,  7,  8,  9, 12,  1,  2,  3,  4,  5)
	REDUCEROW(14,  7,  8,  9, 12,  1,  2,  3,  4,  5,  6)
	REDUCEROW(15,  8,  9, 12,  1,  2,  3,  4,  5,  6,  7)

	// R7:R6:R5:R4:R3:R2:R1:R12:R9 is less than 2n.
	SUB.S	R11, R11, R11 // no borrow yet
	SUBWORD(N0, R9)
	SUBWORD(N1, R12)
	SUBWORD(N2, R1)
	SUBWORD(N3, R2)
	SUBWORD(N4, R3)
	SUBWORD(N5, R4)
	SUBWORD(N6, R5)
	SUBWORD(N7, R6)
	SBC	$0, R7
	ADD.S	$0, R7, R11 // no carry yet
	ADDWORD(N0, R9)
	ADDWORD(N1, R12)
	ADDWORD(N2, R1)
	ADDWORD(N3, R2)
	ADDWORD(N4, R3)
	ADDWORD(N5, R4)
	ADDWORD(N6, R5)
	ADDWORD(N7, R6)
	MOVW	out+0(FP), R0
	MOVW	R9, 0(R0)
	MOVW	R12, 4(R0)
	ADD	$8, R0
	MOVM.IA	[R1-R6], (R0)
	RET

// func p256Pick(out, first *p256MontgomeryDomainFieldElement, stride, count uintptr, n uint32)
//
// It reads all the elements, whatever n is.
TEXT ·p256Pick(SB), NOSPLIT, $4-20
	MOVW	first+4(FP), R0
	MOVW	n+16(FP), R12
	MOVW	$0, R1
	MOVW	$0, R2
	MOVW	$0, R3
	MOVW	$0, R4
	MOVW	$0, R5
	MOVW	$0, R6
	MOVW	$0, R7
	MOVW	$0, R8
	MOVW	count+12(FP), R14
next:
	// R11 becomes -1 if R12 is 1, and 0 otherwise.
	SUB	$1, R12
	CMP	$1, R12
	SBC	R11, R11
	MOVW	0(R0), R9
	AND	R11, R9
	ORR	R9, R1
	MOVW	4(R0), R9
	AND	R11, R9
	ORR	R9, R2
	MOVW	8(R0), R9
	AND	R11, R9
	ORR	R9, R3
	MOVW	12(R0), R9
	AND	R11, R9
	ORR	R9, R4
	MOVW	16(R0), R9
	AND	R11, R9
	ORR	R9, R5
	MOVW	20(R0), R9
	AND	R11, R9
	ORR	R9, R6
	MOVW	24(R0), R9
	AND	R11, R9
	ORR	R9, R7
	MOVW	28(R0), R9
	AND	R11, R9
	ORR	R9, R8
	MOVW	stride+8(FP), R9
	ADD	R9, R0
	SUB.S	$1, R14
	BNE	next
	MOVW	out+0(FP), R0
	MOVM.IA	[R1-R8], (R0)
	RET
