#include "textflag.h"
#include "funcdata.h"

// Three blocks at a time, by NEON: a row of a block's state is a register of four words, so four
// quarter rounds are one sequence of instructions. Then rows b, c and d are turned, so that
// what were columns are diagonals, and back.
//
// The assembler doesn't know these instructions: the macros say how they are encoded (ARM
// DDI 0406C, chapters A7 and A8). Operands stand as in Go's assembler, the destination
// last. Registers are pairs of D registers, named by the number of the first; those of
// the general registers are numbers, too.

#define VD(d) (((d)&15)<<12 | ((d)>>4)<<22)
#define VN(n) (((n)&15)<<16 | ((n)>>4)<<7)
#define VM(m) (((m)&15) | ((m)>>4)<<5)

#define VADD(m, n, d) WORD $(0xf2200840 | VD(d) | VN(n) | VM(m)) // vadd.i32
#define VEOR(m, n, d) WORD $(0xf3000150 | VD(d) | VN(n) | VM(m)) // veor
#define VSHL(bits, m, d) WORD $(0xf2800550 | (32+(bits))<<16 | VD(d) | VM(m)) // vshl.i32
#define VSRI(bits, m, d) WORD $(0xf3800450 | (64-(bits))<<16 | VD(d) | VM(m)) // vsri.32
#define VROT16(m, d) WORD $(0xf3b400c0 | VD(d) | VM(m)) // vrev32.16
#define VTURN(words, m, d) WORD $(0xf2b00040 | (4*(words))<<8 | VD(d) | VN(m) | VM(m)) // vext.8 d, m, m
#define VLDBYTES4(r, d) WORD $(0xf420020d | (r)<<16 | VD(d)) // vld1.8 {d to d+3}, [r]!
#define VSTBYTES4(d, r) WORD $(0xf400020d | (r)<<16 | VD(d)) // vst1.8 {d to d+3}, [r]!
#define VLDWORDS4(r, d) WORD $(0xf420028d | (r)<<16 | VD(d)) // vld1.32 {d to d+3}, [r]!
#define VLDWORDS2(r, d) WORD $(0xf4200a8f | (r)<<16 | VD(d)) // vld1.32 {d, d+1}, [r]

// Rows of the three blocks, and what is beside them.
#define A0 0
#define B0 2
#define C0 4
#define D0 6
#define A1 8
#define B1 10
#define C1 12
#define D1 14
#define A2 16
#define B2 18
#define C2 20
#define D2 22
#define T0 24
#define T1 26
#define T2 28
#define T3 30

// What was exclusive-ored is in T, and goes back to where it belongs rotated, in two
// parts.
#define BACK(bits, x0, x1, x2) \
	VSHL(bits, T0, x0); \
	VSHL(bits, T1, x1); \
	VSHL(bits, T2, x2); \
	VSRI(32-(bits), T0, x0); \
	VSRI(32-(bits), T1, x1); \
	VSRI(32-(bits), T2, x2)

// y += x, and T becomes z ^ y.
#define ADDEOR(x0, x1, x2, y0, y1, y2, z0, z1, z2) \
	VADD(x0, y0, y0); \
	VADD(x1, y1, y1); \
	VADD(x2, y2, y2); \
	VEOR(y0, z0, T0); \
	VEOR(y1, z1, T1); \
	VEOR(y2, z2, T2)

#define QUARTERS \
	ADDEOR(B0, B1, B2, A0, A1, A2, D0, D1, D2); \
	VROT16(T0, D0); \
	VROT16(T1, D1); \
	VROT16(T2, D2); \
	ADDEOR(D0, D1, D2, C0, C1, C2, B0, B1, B2); \
	BACK(12, B0, B1, B2); \
	ADDEOR(B0, B1, B2, A0, A1, A2, D0, D1, D2); \
	BACK(8, D0, D1, D2); \
	ADDEOR(D0, D1, D2, C0, C1, C2, B0, B1, B2); \
	BACK(7, B0, B1, B2)

#define TURN(b, c, d) \
	VTURN(b, B0, B0); \
	VTURN(b, B1, B1); \
	VTURN(b, B2, B2); \
	VTURN(c, C0, C0); \
	VTURN(c, C1, C1); \
	VTURN(c, C2, C2); \
	VTURN(d, D0, D0); \
	VTURN(d, D1, D1); \
	VTURN(d, D2, D2)

// XOR is for one block, at the pointers R1 and R0.
#define XOR(a, b, c, d) \
	VLDBYTES4(1, T0); \
	VLDBYTES4(1, T2); \
	VEOR(T0, a, T0); \
	VEOR(T1, b, T1); \
	VEOR(T2, c, T2); \
	VEOR(T3, d, T3); \
	VSTBYTES4(T0, 0); \
	VSTBYTES4(T2, 0)

// On the stack, above the return address at 0(R13).
#define START 4 // the state's sixteen words
#define COUNTER (START+48)
#define ONE 68 // 1, 0, 0, 0

// func xorTriplesARM(dst, src *byte, n int, state *blockState)
TEXT ·xorTriplesARM(SB), 0, $80-16
	NO_LOCAL_POINTERS

	MOVW $0x61707865, R0
	MOVW $0x3320646e, R1
	MOVW $0x79622d32, R2
	MOVW $0x6b206574, R3
	ADD  $START, R13, R9
	MOVM.IA.W [R0-R3], (R9)
	MOVW state+12(FP), R8
	MOVM.IA.W (R8), [R0-R7]
	MOVM.IA.W [R0-R7], (R9)
	MOVM.IA (R8), [R0-R3]
	MOVM.IA.W [R0-R3], (R9)
	MOVW $1, R0
	MOVW $0, R1
	MOVW $0, R2
	MOVW $0, R3
	MOVM.IA [R0-R3], (R9)

	MOVW dst+0(FP), R0
	MOVW src+4(FP), R1
	MOVW n+8(FP), R2
	ADD  $ONE, R13, R5

triple:
	ADD  $START, R13, R4
	VLDWORDS4(4, A0)
	VLDWORDS4(4, C0)
	ADD  $START, R13, R4
	VLDWORDS4(4, A1)
	VLDWORDS4(4, C1)
	ADD  $START, R13, R4
	VLDWORDS4(4, A2)
	VLDWORDS4(4, C2)
	VLDWORDS2(5, T3)
	VADD(T3, D1, D1)
	VADD(T3, D2, D2)
	VADD(T3, D2, D2)
	MOVW $10, R3

rounds:
	QUARTERS
	TURN(1, 2, 3)
	QUARTERS
	TURN(3, 2, 1)
	SUB.S $1, R3, R3
	BNE  rounds

	// What the blocks began with is added, with their own counters.
	VADD(T3, D1, D1)
	VADD(T3, D2, D2)
	VADD(T3, D2, D2)
	ADD  $START, R13, R4
	VLDWORDS4(4, T0)
	VLDWORDS4(4, T2)
	VADD(T0, A0, A0)
	VADD(T0, A1, A1)
	VADD(T0, A2, A2)
	VADD(T1, B0, B0)
	VADD(T1, B1, B1)
	VADD(T1, B2, B2)
	VADD(T2, C0, C0)
	VADD(T2, C1, C1)
	VADD(T2, C2, C2)
	VADD(T3, D0, D0)
	VADD(T3, D1, D1)
	VADD(T3, D2, D2)
	XOR(A0, B0, C0, D0)
	XOR(A1, B1, C1, D1)
	XOR(A2, B2, C2, D2)

	MOVW COUNTER(R13), R3
	ADD  $3, R3, R3
	MOVW R3, COUNTER(R13)
	SUB.S $1, R2, R2
	BNE  triple

	MOVW state+12(FP), R8
	MOVW R3, 32(R8)
	RET
