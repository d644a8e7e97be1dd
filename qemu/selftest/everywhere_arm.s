#include "textflag.h"

// NEON instructions, which Go's assembler doesn't know: registers q0 to q15.
#define D(q) ((((q)&7)<<13) | (((q)>>3)<<22))
#define N(q) ((((q)&7)<<17) | (((q)>>3)<<7))
#define M(q) ((((q)&7)<<1) | (((q)>>3)<<5))
#define VADD(d, n, m) WORD $(0xf2200840 | D(d) | N(n) | M(m))
#define VEOR(d, n, m) WORD $(0xf3000150 | D(d) | N(n) | M(m))
#define VMUL(d, n, m) WORD $(0xf2200950 | D(d) | N(n) | M(m))
#define VDUP(q, r) WORD $(0xeea00b10 | (((q)&7)<<17) | (((q)>>3)<<7) | ((r)<<12))
#define VSTM_D0_D15(r) WORD $(0xeca00b20 | ((r)<<16)) // and r += 128
#define VSTM_D16_D31(r) WORD $(0xece00b20 | ((r)<<16))
#define VMSR_FPSCR(r) WORD $(0xeee10a10 | ((r)<<12))
#define VMRS_FPSCR(r) WORD $(0xeef10a10 | ((r)<<12))
#define MRS_CPSR(r) WORD $(0xe10f0000 | ((r)<<12))
#define MSR_CPSR_FS(r) WORD $(0xe12cf000 | (r)) // flags, and GE
#define UADD8(d, n, m) WORD $(0xe6500f90 | ((n)<<16) | ((d)<<12) | (m)) // sets GE
#define SEL(d, n, m) WORD $(0xe6800fb0 | ((n)<<16) | ((d)<<12) | (m)) // by GE
#define QADD(d, m, n) WORD $(0xe1000050 | ((n)<<16) | ((d)<<12) | (m)) // sets Q
#define MOV_PC(r) WORD $(0xe1a0000f | ((r)<<12))
#define SCRAMBLE_NEON \
	VDUP(0, 0); \
	VDUP(1, 0); \
	VDUP(2, 0); \
	VDUP(3, 0); \
	VDUP(4, 0); \
	VDUP(5, 0); \
	VDUP(6, 0); \
	VDUP(7, 0); \
	VDUP(8, 0); \
	VDUP(9, 0); \
	VDUP(10, 0); \
	VDUP(11, 0); \
	VDUP(12, 0); \
	VDUP(13, 0); \
	VDUP(14, 0); \
	VDUP(15, 0)
#define BX_LR WORD $0xe12fff1e

// func everyRegister(out *[maxResult]uint32, memory *uint32) (first, end uint32)
//
// A computation that goes through all registers, flags and modes that a thread has: what
// is lost of them, at whatever instruction, shows in out.
TEXT ·everyRegister(SB),NOSPLIT,$16-16
	MOV_PC(1) // the address of the instruction after the next
	MOVW	R1, first+8(FP)
	MOVW	$0, R0
	MSR_CPSR_FS(0)
	MOVW	$0x00c00000, R0 // round towards zero
	VMSR_FPSCR(0)
	MOVW	$0x01234567, R0
	ADD	$0x11, R0, R1
	ADD	R1<<3, R0, R2
	EOR	R2>>5, R1, R3
	RSB	R3, R2, R4
	ADD	R4@>7, R3, R5
	EOR	R5<<9, R4, R6
	ADD	R6, R5, R7
	MVN	R7, R8
	ADD	R8->3, R7, R9
	EOR	R9, R8, R11
	ADD	R11, R9, R14
	VDUP(0, 0)
	VDUP(1, 1)
	VDUP(2, 2)
	VDUP(3, 3)
	VDUP(4, 4)
	VDUP(5, 5)
	VDUP(6, 6)
	VDUP(7, 7)
	VDUP(8, 8)
	VDUP(9, 9)
	VDUP(10, 11)
	VDUP(11, 14)
	VADD(12, 0, 11)
	VADD(13, 1, 10)
	VADD(14, 2, 9)
	VADD(15, 3, 8)
	MOVW	$2, R12
round:
	ADD.S	R0, R1, R1
	ADC.S	R2, R3, R3
	ADC.S	R4, R5, R5
	SBC.S	R6, R7, R7
	ADC	R8, R9, R9
	MULLU	R1, R3, (R11, R14)
	UADD8(2, 1, 3)
	EOR	R5, R0
	SEL(4, 0, 2)
	QADD(6, 4, 11)
	EOR	R14@>13, R8
	ADD.HI	R9, R2
	SUB.MI	R0, R5
	VADD(0, 0, 15)
	VMUL(1, 1, 0)
	VEOR(2, 2, 1)
	VADD(3, 3, 2)
	VMUL(4, 4, 3)
	VEOR(5, 5, 4)
	VADD(6, 6, 5)
	VMUL(7, 7, 6)
	VEOR(8, 8, 7)
	VADD(9, 9, 8)
	VMUL(10, 10, 9)
	VEOR(11, 11, 10)
	VADD(12, 12, 11)
	VMUL(13, 13, 12)
	VEOR(14, 14, 13)
	VADD(15, 15, 14)
	// Exclusive accesses begin anew when they were interrupted.
	MOVW	R9, spare-4(SP)
	MOVW	R12, count-8(SP)
	MOVW	R14, link-12(SP)
	MOVW	memory+4(FP), R9
again:
	LDREX	(R9), R12
	ADD	R7, R12
	STREX	R12, (R9), R14
	CMP	$0, R14
	BNE	again
	MOVW	(R9), R7
	MOVW	spare-4(SP), R9
	MOVW	link-12(SP), R14
	MOVW	count-8(SP), R12
	SUB.S	$1, R12
	BNE	round
	// Floating point, whose results depend on the mode, and which sets flags there.
	WORD	$0xee300b02 // vadd.f64 d0, d0, d2
	WORD	$0xeeb70bc0 // vcvt.f32.f64 s0, d0
	WORD	$0xee841a02 // vdiv.f32 s2, s8, s4
	MOVW	R12, spare-4(SP)
	MOVW	out+0(FP), R12
	VSTM_D0_D15(12)
	VSTM_D16_D31(12)
	MOVM.IA.W	[R0-R9], (R12)
	MOVW	R11, 0(R12)
	MOVW	R14, 4(R12)
	MRS_CPSR(0)
	MOVW	R0, 8(R12)
	VMRS_FPSCR(0)
	MOVW	R0, 12(R12)
	MOVW	$0, R0
	VMSR_FPSCR(0)
	MOV_PC(1)
	SUB	$4, R1
	MOVW	R1, end+12(FP)
	RET

// func scrambleAddr() uint32
TEXT ·scrambleAddr(SB),NOSPLIT,$0-4
	MOVW	$scramble(SB), R0
	MOVW	R0, ret+0(FP)
	RET

// scramble is a signal handler. It notes where it interrupts, and leaves nothing in any
// register that it may use. r2 is the ucontext.
TEXT scramble(SB),NOSPLIT|NOFRAME,$0
	MOVW	92(R2), R3 // pc
	MOVW	$·interrupted(SB), R1
	MOVW	(R1), R0 // how many there were
	ADD	$1, R0, R4
	MOVW	R4, (R1)
	MOVW	$0xffff, R4
	AND	R4, R0
	ADD	$4, R1
	MOVW	R3, R0<<2(R1)
	MOVW	$0xf80f0000, R0
	MSR_CPSR_FS(0)
	MOVW	$0x00400000, R0 // round up
	VMSR_FPSCR(0)
	MOVW	$0xa5a5a5a5, R0
	MOVW	R0, R1
	MOVW	R0, R2
	MOVW	R0, R3
	MOVW	R0, R4
	MOVW	R0, R5
	MOVW	R0, R6
	MOVW	R0, R7
	MOVW	R0, R8
	MOVW	R0, R9
	MOVW	R0, R11
	MOVW	R0, R12
	SCRAMBLE_NEON
	BX_LR

// func scrambleNEON()
TEXT ·scrambleNEON(SB),NOSPLIT,$0-0
	MOVW	$0x00800000, R0 // round down
	VMSR_FPSCR(0)
	MOVW	$0x5a5a5a5a, R0
	SCRAMBLE_NEON
	RET
