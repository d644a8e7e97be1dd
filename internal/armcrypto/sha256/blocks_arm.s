#include "textflag.h"
#include "funcdata.h"

// The rounds are done by integer instructions, and the words of the message schedule, four
// at a time, by NEON, which the assembler doesn't know: the macros say how these instructions are
// encoded (ARM DDI 0406C, chapters A7 and A8). Operands stand as in Go's assembler, the
// destination last. Registers are D0 to D31, by number; instructions whose names end in
// Q take pairs, named by the first, an even one.

#define VD(d) (((d)&15)<<12 | ((d)>>4)<<22)
#define VN(n) (((n)&15)<<16 | ((n)>>4)<<7)
#define VM(m) (((m)&15) | ((m)>>4)<<5)

#define VADDQ(m, n, d) WORD $(0xf2200840 | VD(d) | VN(n) | VM(m)) // vadd.i32
#define VADD(m, n, d) WORD $(0xf2200800 | VD(d) | VN(n) | VM(m))
#define VEORQ(m, n, d) WORD $(0xf3000150 | VD(d) | VN(n) | VM(m)) // veor
#define VEOR(m, n, d) WORD $(0xf3000110 | VD(d) | VN(n) | VM(m))
#define VSHRQ(bits, m, d) WORD $(0xf3800050 | (64-(bits))<<16 | VD(d) | VM(m)) // vshr.u32
#define VSHR(bits, m, d) WORD $(0xf3800010 | (64-(bits))<<16 | VD(d) | VM(m))
#define VSLIQ(bits, m, d) WORD $(0xf3800550 | (32+(bits))<<16 | VD(d) | VM(m)) // vsli.32
#define VSLI(bits, m, d) WORD $(0xf3800510 | (32+(bits))<<16 | VD(d) | VM(m))
#define VEXTQ(bytes, m, n, d) WORD $(0xf2b00040 | (bytes)<<8 | VD(d) | VN(n) | VM(m)) // vext.8: n is the lower one
#define VREVQ(m, d) WORD $(0xf3b000c0 | VD(d) | VM(m)) // vrev32.8
#define VLDBYTES4(r, d) WORD $(0xf420020d | (r)<<16 | VD(d)) // vld1.8 {d to d+3}, [r]!
#define VLDWORDSQ(r, d) WORD $(0xf4200a8d | (r)<<16 | VD(d)) // vld1.32 {d, d+1}, [r]!
#define VSTWORDSQ(d, r) WORD $(0xf4000a8d | (r)<<16 | VD(d)) // vst1.32 {d, d+1}, [r]!

// The last sixteen words of the schedule, and what is made of them.
#define W0 0
#define W4 2
#define W8 4
#define W12 6
#define T0 16
#define T1 18
#define T2 20
#define T3 22
#define KQ 24

#define K R12 // where the next constants are
#define SUMS R14 // where the next words go that have their constants added
#define KNUMBER 12
#define SUMSNUMBER 14

// On the stack, above the return address at 0(R13): words with constants, for sixteen
// rounds.
#define SUM 4
#define TIMES 68

// Ch is (f ^ g) & e ^ g, and Maj is (a ^ b) & (b ^ c) ^ b, where b ^ c was the a ^ b of the
// round before: bc has it, and ab gets it. Sums of three rotations are one rotation of
// a sum with two: by 6 of 0, 5 and 19, by 2 of 0, 11 and 20.
#define ROUND(i, a, b, c, d, e, f, g, h, ab, bc) \
	MOVW SUM+4*(i)(R13), R8; \
	ADD  R8, h, h; \
	EOR  e@>5, e, R8; \
	EOR  e@>19, R8, R8; \
	ADD  R8@>6, h, h; \
	EOR  f, g, R8; \
	AND  e, R8, R8; \
	EOR  g, R8, R8; \
	ADD  R8, h, h; \
	ADD  h, d, d; \
	EOR  a@>11, a, R8; \
	EOR  a@>20, R8, R8; \
	ADD  R8@>2, h, h; \
	EOR  a, b, ab; \
	AND  ab, bc, bc; \
	EOR  b, bc, bc; \
	ADD  bc, h, h

#define ROUNDS0 \
	ROUND(0, R0, R1, R2, R3, R4, R5, R6, R7, R11, R9); \
	ROUND(1, R7, R0, R1, R2, R3, R4, R5, R6, R9, R11); \
	ROUND(2, R6, R7, R0, R1, R2, R3, R4, R5, R11, R9); \
	ROUND(3, R5, R6, R7, R0, R1, R2, R3, R4, R9, R11)
#define ROUNDS4 \
	ROUND(4, R4, R5, R6, R7, R0, R1, R2, R3, R11, R9); \
	ROUND(5, R3, R4, R5, R6, R7, R0, R1, R2, R9, R11); \
	ROUND(6, R2, R3, R4, R5, R6, R7, R0, R1, R11, R9); \
	ROUND(7, R1, R2, R3, R4, R5, R6, R7, R0, R9, R11)
#define ROUNDS8 \
	ROUND(8, R0, R1, R2, R3, R4, R5, R6, R7, R11, R9); \
	ROUND(9, R7, R0, R1, R2, R3, R4, R5, R6, R9, R11); \
	ROUND(10, R6, R7, R0, R1, R2, R3, R4, R5, R11, R9); \
	ROUND(11, R5, R6, R7, R0, R1, R2, R3, R4, R9, R11)
#define ROUNDS12 \
	ROUND(12, R4, R5, R6, R7, R0, R1, R2, R3, R11, R9); \
	ROUND(13, R3, R4, R5, R6, R7, R0, R1, R2, R9, R11); \
	ROUND(14, R2, R3, R4, R5, R6, R7, R0, R1, R11, R9); \
	ROUND(15, R1, R2, R3, R4, R5, R6, R7, R0, R9, R11)

// s1 of the two words in D register m, into T2.
#define SIGMA1(m) \
	VSHR(17, m, T2); \
	VSLI(15, m, T2); \
	VSHR(19, m, T3); \
	VSLI(13, m, T3); \
	VEOR(T3, T2, T2); \
	VSHR(10, m, T3); \
	VEOR(T3, T2, T2)

// SCHEDULE replaces the four words in w by those sixteen further on:
// w + s0(the four from one further) + the four from nine further + s1(the four from
// fourteen further), of which the last two are the new ones' first two.
#define SCHEDULE(w, w4, w8, w12) \
	VEXTQ(4, w4, w, T0); \
	VEXTQ(4, w12, w8, T1); \
	VSHRQ(7, T0, T2); \
	VSLIQ(25, T0, T2); \
	VSHRQ(18, T0, T3); \
	VSLIQ(14, T0, T3); \
	VADDQ(T1, w, w); \
	VEORQ(T3, T2, T2); \
	VSHRQ(3, T0, T3); \
	VEORQ(T3, T2, T2); \
	VADDQ(T2, w, w); \
	SIGMA1(w12+1); \
	VADD(T2, w, w); \
	SIGMA1(w); \
	VADD(T2, w+1, w+1); \
	VLDWORDSQ(KNUMBER, KQ); \
	VADDQ(KQ, w, KQ); \
	VSTWORDSQ(KQ, SUMSNUMBER)

#define FIRST(w) \
	VREVQ(w, w); \
	VLDWORDSQ(KNUMBER, KQ); \
	VADDQ(KQ, w, KQ); \
	VSTWORDSQ(KQ, SUMSNUMBER)

// func blocksARM(h *[8]uint32, k *[64]uint32, p *byte, n int)
TEXT ·blocksARM(SB), 0, $68-16
	NO_LOCAL_POINTERS

	MOVW h+0(FP), R8
	MOVM.IA (R8), [R0-R7]

block:
	MOVW p+8(FP), R8
	MOVW k+4(FP), K
	ADD  $SUM, R13, SUMS
	VLDBYTES4(8, W0)
	VLDBYTES4(8, W8)
	MOVW R8, p+8(FP)
	FIRST(W0)
	FIRST(W4)
	FIRST(W8)
	FIRST(W12)
	MOVW $3, R8
	MOVW R8, TIMES(R13)
	EOR  R1, R2, R9

rounds:
	SUB  $64, SUMS, SUMS
	ROUNDS0
	SCHEDULE(W0, W4, W8, W12)
	ROUNDS4
	SCHEDULE(W4, W8, W12, W0)
	ROUNDS8
	SCHEDULE(W8, W12, W0, W4)
	ROUNDS12
	SCHEDULE(W12, W0, W4, W8)
	MOVW TIMES(R13), R8
	SUB.S $1, R8, R8
	MOVW R8, TIMES(R13)
	BNE  rounds

	ROUNDS0
	ROUNDS4
	ROUNDS8
	ROUNDS12

	MOVW h+0(FP), R8
	MOVM.IA (R8), [R9, R11, R12, R14]
	ADD  R9, R0
	ADD  R11, R1
	ADD  R12, R2
	ADD  R14, R3
	MOVM.IA.W [R0-R3], (R8)
	MOVM.IA (R8), [R9, R11, R12, R14]
	ADD  R9, R4
	ADD  R11, R5
	ADD  R12, R6
	ADD  R14, R7
	MOVM.IA [R4-R7], (R8)

	MOVW n+12(FP), R8
	SUB.S $1, R8, R8
	MOVW R8, n+12(FP)
	BNE  block
	RET
