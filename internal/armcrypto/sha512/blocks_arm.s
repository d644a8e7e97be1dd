#include "textflag.h"

// All is done by NEON, which has words of 64 bits, and which the assembler doesn't know:
// the macros say how these instructions are encoded (ARM DDI 0406C, chapters A7 and A8).
// Operands stand as in Go's assembler, the destination last. Registers are D0 to D31, by
// number; instructions whose names end in Q take pairs, named by the first, an even one.

#define VD(d) (((d)&15)<<12 | ((d)>>4)<<22)
#define VN(n) (((n)&15)<<16 | ((n)>>4)<<7)
#define VM(m) (((m)&15) | ((m)>>4)<<5)

#define VADD(m, n, d) WORD $(0xf2300800 | VD(d) | VN(n) | VM(m)) // vadd.i64
#define VADDQ(m, n, d) WORD $(0xf2300840 | VD(d) | VN(n) | VM(m))
#define VEOR(m, n, d) WORD $(0xf3000110 | VD(d) | VN(n) | VM(m)) // veor
#define VEORQ(m, n, d) WORD $(0xf3000150 | VD(d) | VN(n) | VM(m))
#define VMOV(m, d) WORD $(0xf2200110 | VD(d) | VN(m) | VM(m)) // vorr
#define VBSL(m, n, d) WORD $(0xf3100110 | VD(d) | VN(n) | VM(m)) // vbsl: n where d has ones, and m
#define VSHR(bits, m, d) WORD $(0xf3800090 | (64-(bits))<<16 | VD(d) | VM(m)) // vshr.u64
#define VSHRQ(bits, m, d) WORD $(0xf38000d0 | (64-(bits))<<16 | VD(d) | VM(m))
#define VSLI(bits, m, d) WORD $(0xf3800590 | (bits)<<16 | VD(d) | VM(m)) // vsli.64
#define VSLIQ(bits, m, d) WORD $(0xf38005d0 | (bits)<<16 | VD(d) | VM(m))
#define VEXTQ(m, n, d) WORD $(0xf2b00840 | VD(d) | VN(n) | VM(m)) // vext.8 #8: the upper half of n, the lower of m
#define VREVQ(m, d) WORD $(0xf3b00040 | VD(d) | VM(m)) // vrev64.8
#define VLDBYTES4(r, d) WORD $(0xf420020d | (r)<<16 | VD(d)) // vld1.8 {d to d+3}, [r]!
#define VLDWORD(r, d) WORD $(0xf42007cd | (r)<<16 | VD(d)) // vld1.64 {d}, [r]!
#define VLDWORDS4(r, d) WORD $(0xf42002cd | (r)<<16 | VD(d)) // vld1.64 {d to d+3}, [r]!
#define VSTWORDS4(r, d) WORD $(0xf40002cd | (r)<<16 | VD(d)) // vst1.64 {d to d+3}, [r]!

// D0 to D15 are the next words of the message schedule, D16 to D23 the variables a to h,
// and D24 to D31 of no lasting use.

#define ROTATE(bits, m, d) VSHR(bits, m, d); VSLI(64-(bits), m, d)
#define ROTATEQ(bits, m, d) VSHRQ(bits, m, d); VSLIQ(64-(bits), m, d)

// ROUND is FIPS 180-4, section 6.4.2, step 3. What it calls h afterwards is in d, and what
// it calls a in h. Ch chooses by e; Maj is c where a and b differ, and b.
#define ROUND(w, a, b, c, d, e, f, g, h) \
	VLDWORD(4, 28); \
	ROTATE(14, e, 24); \
	ROTATE(18, e, 25); \
	ROTATE(41, e, 26); \
	VADD(w, 28, 28); \
	VMOV(e, 27); \
	VBSL(g, f, 27); \
	VEOR(25, 24, 24); \
	VADD(28, h, h); \
	VEOR(26, 24, 24); \
	VADD(27, h, h); \
	VADD(24, h, h); \
	ROTATE(28, a, 24); \
	ROTATE(34, a, 25); \
	ROTATE(39, a, 26); \
	VADD(h, d, d); \
	VEOR(b, a, 27); \
	VBSL(b, c, 27); \
	VEOR(25, 24, 24); \
	VADD(27, h, h); \
	VEOR(26, 24, 24); \
	VADD(24, h, h)

// SCHEDULE makes the two words sixteen after w0, in its place, of w0 and w1 beginning two
// words each, up to w14.
#define SCHEDULE(w0, w2, w8, w10, w14) \
	VEXTQ(w2, w0, 24); \
	VEXTQ(w10, w8, 26); \
	ROTATEQ(1, 24, 28); \
	ROTATEQ(8, 24, 30); \
	VADDQ(26, w0, w0); \
	VSHRQ(7, 24, 24); \
	VEORQ(30, 28, 28); \
	VEORQ(24, 28, 28); \
	ROTATEQ(19, w14, 24); \
	ROTATEQ(61, w14, 26); \
	VADDQ(28, w0, w0); \
	VSHRQ(6, w14, 30); \
	VEORQ(26, 24, 24); \
	VEORQ(30, 24, 24); \
	VADDQ(24, w0, w0)

// func blocksARM(h *[8]uint64, k *[80]uint64, p *byte, n int)
//
// Its frame is there for its prologue, which looks for preemption.
TEXT ·blocksARM(SB), 0, $4-16
	MOVW	h+0(FP), R0
	MOVW	k+4(FP), R1
	MOVW	p+8(FP), R2
	MOVW	n+12(FP), R3
	VLDWORDS4(0, 16)
	VLDWORDS4(0, 20)
	SUB	$64, R0

block:
	VLDBYTES4(2, 0)
	VLDBYTES4(2, 4)
	VLDBYTES4(2, 8)
	VLDBYTES4(2, 12)
	VREVQ(0, 0)
	VREVQ(2, 2)
	VREVQ(4, 4)
	VREVQ(6, 6)
	VREVQ(8, 8)
	VREVQ(10, 10)
	VREVQ(12, 12)
	VREVQ(14, 14)
	MOVW	R1, R4
	MOVW	$5, R5

	// Sixteen rounds, and the words for the next; for none after the last.
rounds:
	ROUND(0, 16, 17, 18, 19, 20, 21, 22, 23)
	ROUND(1, 23, 16, 17, 18, 19, 20, 21, 22)
	SCHEDULE(0, 2, 8, 10, 14)
	ROUND(2, 22, 23, 16, 17, 18, 19, 20, 21)
	ROUND(3, 21, 22, 23, 16, 17, 18, 19, 20)
	SCHEDULE(2, 4, 10, 12, 0)
	ROUND(4, 20, 21, 22, 23, 16, 17, 18, 19)
	ROUND(5, 19, 20, 21, 22, 23, 16, 17, 18)
	SCHEDULE(4, 6, 12, 14, 2)
	ROUND(6, 18, 19, 20, 21, 22, 23, 16, 17)
	ROUND(7, 17, 18, 19, 20, 21, 22, 23, 16)
	SCHEDULE(6, 8, 14, 0, 4)
	ROUND(8, 16, 17, 18, 19, 20, 21, 22, 23)
	ROUND(9, 23, 16, 17, 18, 19, 20, 21, 22)
	SCHEDULE(8, 10, 0, 2, 6)
	ROUND(10, 22, 23, 16, 17, 18, 19, 20, 21)
	ROUND(11, 21, 22, 23, 16, 17, 18, 19, 20)
	SCHEDULE(10, 12, 2, 4, 8)
	ROUND(12, 20, 21, 22, 23, 16, 17, 18, 19)
	ROUND(13, 19, 20, 21, 22, 23, 16, 17, 18)
	SCHEDULE(12, 14, 4, 6, 10)
	ROUND(14, 18, 19, 20, 21, 22, 23, 16, 17)
	ROUND(15, 17, 18, 19, 20, 21, 22, 23, 16)
	SCHEDULE(14, 0, 6, 8, 12)
	SUB.S	$1, R5
	BNE	rounds

	VLDWORDS4(0, 24)
	VLDWORDS4(0, 28)
	SUB	$64, R0
	VADDQ(24, 16, 16)
	VADDQ(26, 18, 18)
	VADDQ(28, 20, 20)
	VADDQ(30, 22, 22)
	VSTWORDS4(0, 16)
	VSTWORDS4(0, 20)
	SUB	$64, R0
	SUB.S	$1, R3
	BNE	block
	RET
