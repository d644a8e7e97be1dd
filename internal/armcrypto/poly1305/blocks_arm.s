#include "textflag.h"
#include "funcdata.h"

// Numbers are words of 32 bits, least significant first: h in five, the last one of a few
// bits, r in four. As r is clamped, its words are below 2²⁸, and all but the first divisible by
// four. So what a product has at 2¹²⁸ and above comes back below: 2¹²⁸ times r1 is 2¹³⁰
// times r1/4, and that is s1 = 5 * r1/4. Modulo 2¹³⁰ - 5, the product is then
//
//	d0 = h0*r0 + h1*s3 + h2*s2 + h3*s1
//	d1 = h0*r1 + h1*r0 + h2*s3 + h3*s2 + h4*s1
//	d2 = h0*r2 + h1*r1 + h2*r0 + h3*s3 + h4*s2
//	d3 = h0*r3 + h1*r2 + h2*r1 + h3*r0 + h4*s3
//	d4 = h4*r0
//
// with the upper half of each going to the next. What d4 has from 2¹³⁰ up, times five, goes
// to h0. That leaves h4 at most 4, and 6 once a block was added: so each sum is below 2⁶³,
// d4 below 2³¹ + 2³⁰, and what goes to h0 fits a word.

#define H0 R0
#define H1 R1
#define H2 R2
#define H3 R3
#define H4 R4
#define Ra0 R5
#define Ra1 R6
#define Ra2 R7
#define S1R3 R8 // s1; for d3, r3
#define S2 R9
#define S3 R11
#define X R12 // sums, and what else is at hand for a moment
#define Y R14

// On the stack, above the return address at 0(R13).
#define SUM 4 // d0, d1, d2
#define WORDR3 16
#define WORDS1 20

// func blocksARM(h *[3]uint64, r *[2]uint64, msg *byte, n int)
TEXT ·blocksARM(SB), 0, $20-16
	NO_LOCAL_POINTERS

	MOVW r+4(FP), X
	MOVM.IA (X), [R5-R8] // r0 to r3
	MOVW S1R3, WORDR3(R13)
	ADD  S1R3>>2, S1R3, S3
	ADD  Ra2>>2, Ra2, S2
	ADD  Ra1>>2, Ra1, S1R3
	MOVW S1R3, WORDS1(R13)
	MOVW h+0(FP), X
	MOVM.IA (X), [R0-R4]

	// What h has from 2¹³⁰ up, times five, goes to h0.
	BIC    $3, H4, X
	ADD    H4>>2, X, X
	AND    $3, H4, H4
	ADD.S  X, H0, H0
	ADC.S  $0, H1, H1
	ADC.S  $0, H2, H2
	ADC.S  $0, H3, H3
	ADC    $0, H4, H4

block:
	MOVW   msg+8(FP), X
	MOVW.P 4(X), Y
	ADD.S  Y, H0, H0
	MOVW.P 4(X), Y
	ADC.S  Y, H1, H1
	MOVW.P 4(X), Y
	ADC.S  Y, H2, H2
	MOVW.P 4(X), Y
	ADC.S  Y, H3, H3
	ADC    $1, H4, H4
	MOVW   X, msg+8(FP)

	MULLU  H0, Ra0, (Y, X)
	MULALU H1, S3, (Y, X)
	MULALU H2, S2, (Y, X)
	MULALU H3, S1R3, (Y, X)
	MOVW   X, SUM+0(R13)

	MOVW   $0, X
	MULALU H0, Ra1, (X, Y)
	MULALU H1, Ra0, (X, Y)
	MULALU H2, S3, (X, Y)
	MULALU H3, S2, (X, Y)
	MULALU H4, S1R3, (X, Y)
	MOVW   Y, SUM+4(R13)

	MOVW   WORDR3(R13), S1R3
	MOVW   $0, Y
	MULALU H0, Ra2, (Y, X)
	MULALU H1, Ra1, (Y, X)
	MULALU H2, Ra0, (Y, X)
	MULALU H3, S3, (Y, X)
	MULALU H4, S2, (Y, X)
	MOVW   X, SUM+8(R13)

	MOVW   $0, X
	MULALU H0, S1R3, (X, Y)
	MULALU H1, Ra2, (X, Y)
	MULALU H2, Ra1, (X, Y)
	MULALU H3, Ra0, (X, Y)
	MULALU H4, S3, (X, Y)

	MULA   H4, Ra0, X, H4
	MOVW   WORDS1(R13), S1R3
	BIC    $3, H4, X
	ADD    H4>>2, X, X
	AND    $3, H4, H4
	MOVW   SUM+0(R13), H0
	MOVW   SUM+4(R13), H1
	MOVW   SUM+8(R13), H2
	ADD.S  X, H0, H0
	ADC.S  $0, H1, H1
	ADC.S  $0, H2, H2
	ADC.S  $0, Y, H3
	ADC    $0, H4, H4

	MOVW   n+12(FP), X
	SUB.S  $1, X, X
	MOVW   X, n+12(FP)
	BNE    block

	MOVW h+0(FP), X
	MOVM.IA [R0-R4], (X)
	RET
