#include "textflag.h"

// Arithmetic modulo p = 2^255 - 19 with eight words of 32 bits, least significant first.
// A number is any of 256 bits that is the one meant modulo p. What a multiplication gives
// is less than 2^255 + 2^11, which additions and subtractions want.
//
// No branch and no address depends on numbers. R10 is Go's, and R11 nobody's here, since
// no instruction below is one that the assembler makes of several.
//
// Functions without arguments take pointers in registers: R0 and R1 to what they work on,
// R2 to where the result goes, which may be either. They change all registers but R10.

// UMAAL multiplies n by m and adds lo and hi to the product, which always fits hi:lo. Go's
// assembler doesn't have it. Its arguments are numbers of registers.
#define UMAAL(lo, hi, n, m) WORD $(0xe0400090 | (hi)<<16 | (lo)<<12 | (m)<<8 | (n))

// ROW adds a · R5:R4:R3:R2 to t3:t2:t1:t0 and c. It puts the lowest word into word i of
// the frame; c:t3:t2:t1 are left for the next row.
#define ROW(i, a, t0, t1, t2, t3, c) \
	UMAAL(t0, c, a, 2); \
	UMAAL(t1, c, a, 3); \
	UMAAL(t2, c, a, 4); \
	UMAAL(t3, c, a, 5); \
	MOVW	R(t0), (4+4*(i))(R13)

// FOLD255 has bits from 255 on, of R0:R8:...:R1, come in again below, 19 times each.
// R0 is less than 2^20.
#define FOLD255 \
	ADD.S	R8, R8; \
	ADC	R0, R0; \
	MOVW	R8>>1, R8; \
	ADD	R0<<1, R0, R9; \
	ADD	R0<<4, R9; \
	ADD.S	R9, R1; \
	ADC.S	$0, R2; \
	ADC.S	$0, R3; \
	ADC.S	$0, R4; \
	ADC.S	$0, R5; \
	ADC.S	$0, R6; \
	ADC.S	$0, R7; \
	ADC	$0, R8

// Where numbers are in an x25519Ladder.
#define X1 0
#define X2 32
#define Z2 64
#define X3 96
#define Z3 128
#define T0 160
#define T1 192

// DO has f work on a and b of the ladder.
#define DO(f, a, b, out) 	MOVW	l+0(FP), R2; 	ADD	$a, R2, R0; 	ADD	$b, R2, R1; 	ADD	$out, R2; 	BL	f<>(SB)

// SWAP exchanges four words at R0 with those at R1 if R2 is -1, and nothing if it is 0.
#define SWAP 	MOVM.IA	(R0), [R3-R6]; 	MOVM.IA	(R1), [R7, R8, R9, R11]; 	EOR	R3, R7, R12; 	AND	R2, R12; 	EOR	R12, R3; 	EOR	R12, R7; 	EOR	R4, R8, R12; 	AND	R2, R12; 	EOR	R12, R4; 	EOR	R12, R8; 	EOR	R5, R9, R12; 	AND	R2, R12; 	EOR	R12, R5; 	EOR	R12, R9; 	EOR	R6, R11, R12; 	AND	R2, R12; 	EOR	R12, R6; 	EOR	R12, R11; 	MOVM.IA.W	[R3-R6], (R0); 	MOVM.IA.W	[R7, R8, R9, R11], (R1)

// mul multiplies.
TEXT ·mul<>(SB), NOSPLIT, $52-0
	MOVW	R2, 52(R13)

	// By the lower half.
	MOVM.IA.W	(R1), [R2-R5]
	MOVW	$0, R8
	MOVW	$0, R9
	MOVW	$0, R11
	MOVW	$0, R12
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R14
	ROW(0, 6,  8,  9, 11, 12, 14)
	MOVW	$0, R8
	ROW(1, 7,  9, 11, 12, 14,  8)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R9
	ROW(2, 6, 11, 12, 14,  8,  9)
	MOVW	$0, R11
	ROW(3, 7, 12, 14,  8,  9, 11)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R12
	ROW(4, 6, 14,  8,  9, 11, 12)
	MOVW	$0, R14
	ROW(5, 7,  8,  9, 11, 12, 14)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R8
	ROW(6, 6,  9, 11, 12, 14,  8)
	MOVW	$0, R9
	ROW(7, 7, 11, 12, 14,  8,  9)
	MOVW	R12, 36(R13)
	MOVW	R14, 40(R13)
	MOVW	R8, 44(R13)
	MOVW	R9, 48(R13)

	// By the upper half; what there is already comes in by the first row, as far as
	// its words go, and then as the lowest words of the others.
	SUB	$32, R0
	MOVM.IA	(R1), [R2-R5]
	ADD	$20, R13, R14
	MOVM.IA	(R14), [R8, R9, R11, R12]
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R14
	ROW(4, 6,  8,  9, 11, 12, 14)
	MOVW	$0, R8
	ROW(5, 7,  9, 11, 12, 14,  8)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	$0, R9
	ROW(6, 6, 11, 12, 14,  8,  9)
	MOVW	$0, R11
	ROW(7, 7, 12, 14,  8,  9, 11)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	36(R13), R12
	ROW(8, 6, 14,  8,  9, 11, 12)
	MOVW	40(R13), R14
	ROW(9, 7,  8,  9, 11, 12, 14)
	MOVM.IA.W	(R0), [R6-R7]
	MOVW	44(R13), R8
	ROW(10, 6,  9, 11, 12, 14,  8)
	MOVW	48(R13), R9
	ROW(11, 7, 11, 12, 14,  8,  9)

	// The words from the eighth on, the last of which are R9:R8:R14:R12, count 2^256 = 38.
	ADD	$4, R13, R1
	MOVM.IA	(R1), [R1-R4]
	ADD	$36, R13, R5
	MOVM.IA	(R5), [R5-R7]
	MOVW	$38, R11
	MOVW	$0, R0
	UMAAL(1, 0, 5, 11)
	MOVW	48(R13), R5
	UMAAL(2, 0, 6, 11)
	UMAAL(3, 0, 7, 11)
	UMAAL(4, 0, 5, 11)
	ADD	$20, R13, R5
	MOVM.IA	(R5), [R5-R7]
	UMAAL(5, 0, 12, 11)
	UMAAL(6, 0, 14, 11)
	UMAAL(7, 0, 8, 11)
	MOVW	32(R13), R8
	UMAAL(8, 0, 9, 11)
	FOLD255
	MOVW	52(R13), R0
	MOVM.IA	[R1-R8], (R0)
	RET

// mulAdd multiplies what is at R0 by 121666, and adds what is at R1.
TEXT ·mulAdd<>(SB), NOSPLIT, $4-0
	MOVW	R2, 4(R13)
	MOVM.IA	(R0), [R11, R12]
	ADD	$8, R0, R14
	MOVM.IA	(R1), [R1-R8]
	MOVW	$0x1db42, R9
	MOVW	$0, R0
	UMAAL(1, 0, 11, 9)
	UMAAL(2, 0, 12, 9)
	MOVM.IA.W	(R14), [R11, R12]
	UMAAL(3, 0, 11, 9)
	UMAAL(4, 0, 12, 9)
	MOVM.IA.W	(R14), [R11, R12]
	UMAAL(5, 0, 11, 9)
	UMAAL(6, 0, 12, 9)
	MOVM.IA	(R14), [R11, R12]
	UMAAL(7, 0, 11, 9)
	UMAAL(8, 0, 12, 9)
	FOLD255
	MOVW	4(R13), R0
	MOVM.IA	[R1-R8], (R0)
	RET

// add adds what two multiplications gave. The sum may have a bit more than 256, which
// counts 38: the lowest word then has room for it.
TEXT ·add<>(SB), NOSPLIT, $0-0
	MOVM.IA	(R0), [R3-R9, R11]
	MOVM.IA.W	(R1), [R0, R12]
	ADD.S	R0, R3
	ADC.S	R12, R4
	MOVM.IA.W	(R1), [R0, R12]
	ADC.S	R0, R5
	ADC.S	R12, R6
	MOVM.IA.W	(R1), [R0, R12]
	ADC.S	R0, R7
	ADC.S	R12, R8
	MOVM.IA	(R1), [R0, R12]
	ADC.S	R0, R9
	ADC.S	R12, R11
	SBC	R0, R0
	MOVW	$38, R12
	BIC	R0, R12
	ADD	R12, R3
	MOVM.IA	[R3-R9, R11], (R2)
	RET

// sub subtracts what two multiplications gave. A borrow brought 2^256, which counts 38, and
// left more than that.
TEXT ·sub<>(SB), NOSPLIT, $0-0
	MOVM.IA	(R0), [R3-R9, R11]
	MOVM.IA.W	(R1), [R0, R12]
	SUB.S	R0, R3
	SBC.S	R12, R4
	MOVM.IA.W	(R1), [R0, R12]
	SBC.S	R0, R5
	SBC.S	R12, R6
	MOVM.IA.W	(R1), [R0, R12]
	SBC.S	R0, R7
	SBC.S	R12, R8
	MOVM.IA	(R1), [R0, R12]
	SBC.S	R0, R9
	SBC.S	R12, R11
	SBC	R0, R0
	AND	$38, R0
	SUB.S	R0, R3
	SBC.S	$0, R4
	SBC.S	$0, R5
	SBC.S	$0, R6
	SBC.S	$0, R7
	SBC.S	$0, R8
	SBC.S	$0, R9
	SBC	$0, R11
	MOVM.IA	[R3-R9, R11], (R2)
	RET

// func x25519Mul(out, a, b *x25519Element)
TEXT ·x25519Mul(SB), NOSPLIT, $4-12
	MOVW	a+4(FP), R0
	MOVW	b+8(FP), R1
	MOVW	out+0(FP), R2
	BL	·mul<>(SB)
	RET

// func x25519Swap(l *x25519Ladder, yes uint32)
TEXT ·x25519Swap(SB), NOSPLIT, $0-8
	MOVW	l+0(FP), R1
	MOVW	yes+4(FP), R2
	RSB	$0, R2
	ADD	$X2, R1, R0
	ADD	$X3, R1
	SWAP
	SWAP
	SWAP
	SWAP
	RET

// func x25519Step(l *x25519Ladder)
//
// It is a step of the ladder in RFC 7748, section 5; names from there are behind.
TEXT ·x25519Step(SB), 0, $4-4
	DO(·sub, X3, Z3, T0)     // D
	DO(·sub, X2, Z2, T1)     // B
	DO(·add, X2, Z2, X2)     // A
	DO(·add, X3, Z3, Z2)     // C
	DO(·mul, T0, X2, Z3)     // DA
	DO(·mul, Z2, T1, Z2)     // CB
	DO(·mul, T1, T1, T0)     // BB
	DO(·mul, X2, X2, T1)     // AA
	DO(·add, Z3, Z2, X3)     // DA + CB
	DO(·sub, Z3, Z2, Z2)     // DA - CB
	DO(·mul, T1, T0, X2)
	DO(·sub, T1, T0, T1)     // E
	DO(·mul, Z2, Z2, Z2)
	DO(·mulAdd, T1, T0, T0)  // BB + 121666 E = AA + 121665 E
	DO(·mul, X3, X3, X3)
	DO(·mul, X1, Z2, Z3)
	DO(·mul, T1, T0, Z2)
	RET
