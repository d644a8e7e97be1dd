#include "textflag.h"
#include "funcdata.h"

// The state's sixteen words are rows a, b, c and d of four. A quarter round takes one word
// of each:
//
//	a += b; d = (d ^ a) <<< 16
//	c += d; b = (b ^ c) <<< 12
//	a += b; d = (d ^ a) <<< 8
//	c += d; b = (b ^ c) <<< 7
//
// Rotations cost nothing here: a word that is to be rotated stays as it is, and whoever
// reads it rotates its operand. What a quarter round leaves are words b that are still to
// be rotated right by 25 and words d by 24, so that is how b and d begin, too: the state
// starts with their words rotated the other way.
//
// Thirteen registers are free. Rows a, b and d are in R0-R3, R4-R7 and R8, R9, R11, R12, and
// of row c one word at a time is in R14. R11 is the assembler's for constants and offsets
// that don't fit an instruction, of which there is none here.

#define A0 R0
#define A1 R1
#define A2 R2
#define A3 R3
#define B0 R4
#define B1 R5
#define B2 R6
#define B3 R7
#define D0 R8
#define D1 R9
#define D2 R11
#define D3 R12
#define C R14

#define QUARTER(a, b, d) \
	ADD b@>25, a, a; \
	EOR d@>24, a, d; \
	ADD d@>16, C, C; \
	EOR b@>25, C, b; \
	ADD b@>20, a, a; \
	EOR d@>16, a, d; \
	ADD d@>24, C, C; \
	EOR b@>20, C, b

// What is on the stack, above the return address at 0(R13).
#define START 4 // what the rounds start from: a, and b and d rotated
#define ROUND 52 // words c between the rounds; words d behind the last
#define KEY 84 // what is added behind the rounds: all sixteen words
#define DOUBLES 148 // pairs of double rounds left

#define DOUBLEROUND \
	QUARTER(A1, B1, D1); \
	MOVW C, ROUND+4(R13); \
	MOVW ROUND+0(R13), C; \
	QUARTER(A0, B0, D0); \
	MOVW C, ROUND+0(R13); \
	MOVW ROUND+12(R13), C; \
	QUARTER(A3, B3, D3); \
	MOVW C, ROUND+12(R13); \
	MOVW ROUND+8(R13), C; \
	QUARTER(A2, B2, D2); \
	QUARTER(A0, B1, D3); \
	MOVW C, ROUND+8(R13); \
	MOVW ROUND+12(R13), C; \
	QUARTER(A1, B2, D0); \
	MOVW C, ROUND+12(R13); \
	MOVW ROUND+0(R13), C; \
	QUARTER(A2, B3, D1); \
	MOVW C, ROUND+0(R13); \
	MOVW ROUND+4(R13), C; \
	QUARTER(A3, B0, D2)

// One word of key stream, at the pointers R14 and R12, with R9 to spare.
#define XOR(word) \
	MOVW.P 4(R14), R9; \
	EOR R9, word, word; \
	MOVW.P word, 4(R12)

// func xorBlocksARM(dst, src *byte, n int, state *blockState)
TEXT ·xorBlocksARM(SB), 0, $152-16
	NO_LOCAL_POINTERS

	// The constants, "expand 32-byte k", and the state's words.
	MOVW state+12(FP), R14
	MOVW $0x61707865, R0
	MOVW $0x3320646e, R1
	MOVW $0x79622d32, R2
	MOVW $0x6b206574, R3
	ADD  $KEY, R13, R12
	MOVM.IA.W [R0-R3], (R12)
	MOVM.IA.W (R14), [R4-R7]
	MOVM.IA.W [R4-R7], (R12)
	MOVW R4@>7, R4
	MOVW R5@>7, R5
	MOVW R6@>7, R6
	MOVW R7@>7, R7
	ADD  $START, R13, R8
	MOVM.IA.W [R0-R7], (R8)
	MOVM.IA.W (R14), [R0-R3]
	MOVM.IA.W [R0-R3], (R12)
	MOVM.IA (R14), [R0-R3]
	MOVM.IA [R0-R3], (R12)
	MOVW R0@>8, R0
	MOVW R1@>8, R1
	MOVW R2@>8, R2
	MOVW R3@>8, R3
	MOVM.IA [R0-R3], (R8)

block:
	ADD  $(KEY+32), R13, R14
	MOVM.IA (R14), [R0-R3]
	ADD  $ROUND, R13, R14
	MOVM.IA [R0-R3], (R14)
	MOVW $5, R0
	MOVW R0, DOUBLES(R13)
	ADD  $START, R13, R14
	MOVM.IA (R14), [R0-R9, R11, R12]
	MOVW ROUND+4(R13), C

rounds:
	DOUBLEROUND
	DOUBLEROUND
	MOVW C, ROUND+4(R13)
	MOVW DOUBLES(R13), C
	SUB.S $1, C, C
	MOVW C, DOUBLES(R13)
	MOVW ROUND+4(R13), C
	BNE rounds

	// Rows a and b, when d has made room.
	ADD  $(ROUND+16), R13, R14
	MOVM.IA [R8, R9, R11, R12], (R14)
	ADD  $KEY, R13, R14
	MOVM.IA.W (R14), [R8, R9, R11, R12]
	ADD  R8, A0
	ADD  R9, A1
	ADD  R11, A2
	ADD  R12, A3
	MOVM.IA.W (R14), [R8, R9, R11, R12]
	ADD  B0@>25, R8, B0
	ADD  B1@>25, R9, B1
	ADD  B2@>25, R11, B2
	ADD  B3@>25, R12, B3
	MOVW R14, R8 // the rest of the key
	MOVW dst+0(FP), R12
	MOVW src+4(FP), R14
	XOR(R0)
	XOR(R1)
	XOR(R2)
	XOR(R3)
	XOR(R4)
	XOR(R5)
	XOR(R6)
	XOR(R7)

	// Rows c and d.
	ADD  $ROUND, R13, R11
	MOVM.IA.W (R8), [R0-R3]
	MOVM.IA.W (R11), [R4-R7]
	ADD  R4, R0
	ADD  R5, R1
	ADD  R6, R2
	ADD  R7, R3
	XOR(R0)
	XOR(R1)
	XOR(R2)
	XOR(R3)
	MOVM.IA (R8), [R0-R3]
	MOVM.IA (R11), [R4-R7]
	ADD  R4@>24, R0, R4
	ADD  R5@>24, R1, R5
	ADD  R6@>24, R2, R6
	ADD  R7@>24, R3, R7
	XOR(R4)
	XOR(R5)
	XOR(R6)
	XOR(R7)
	MOVW R12, dst+0(FP)
	MOVW R14, src+4(FP)

	ADD  $1, R0
	MOVW R0, KEY+48(R13)
	MOVW R0@>8, R1
	MOVW R1, START+32(R13)
	MOVW n+8(FP), R2
	SUB.S $1, R2, R2
	MOVW R2, n+8(FP)
	BNE  block

	MOVW state+12(FP), R14
	MOVW R0, 32(R14)
	RET
