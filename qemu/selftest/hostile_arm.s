#include "textflag.h"

// What a program would have to do to hurt the kernel, as far as Go can't say it.
// Instructions that its assembler doesn't know are given as words.

#define BX_LR WORD $0xe12fff1e
#define TRY(insn) WORD $insn; BX_LR

// func handlerAddr() uint32
TEXT ·handlerAddr(SB),NOSPLIT,$0-4
	MOVW	$handler(SB), R0
	MOVW	R0, ret+0(FP)
	RET

// The handler of faults in code that jump runs: it stores the signal where r6
// points, and goes on at r9 with the stack at r8. r2 is the ucontext.
TEXT handler(SB),NOSPLIT|NOFRAME,$0
	MOVW	56(R2), R3 // r6
	MOVW	R0, (R3)
	MOVW	64(R2), R3 // r8
	MOVW	R3, 84(R2) // becomes sp
	MOVW	68(R2), R3 // r9
	MOVW	R3, 92(R2) // becomes pc
	BX_LR

// func jump(code, sp, r0, r7 uint32, signal *uint32) uint32
TEXT ·jump(SB),NOSPLIT,$40-24
	MOVW	R4, 4(R13)
	MOVW	R5, 8(R13)
	MOVW	R6, 12(R13)
	MOVW	R7, 16(R13)
	MOVW	R8, 20(R13)
	MOVW	R9, 24(R13)
	MOVW	R11, 28(R13)
	MOVW	R12, 32(R13)
	MOVW	code+0(FP), R3
	MOVW	sp+4(FP), R4
	MOVW	r0+8(FP), R0
	MOVW	R0, R1
	MOVW	r7+12(FP), R7
	MOVW	signal+16(FP), R6
	MOVW	R13, R8
	WORD	$0xe28f9010 // add r9, pc, #16: back
	CMP	$0, R4
	BEQ	keep
	MOVW	R4, R13
keep:
	WORD	$0xe1a0e009 // mov lr, r9
	WORD	$0xe12fff13 // bx r3
	// back:
	WORD	$0xf1010000 // setend le
	MOVW	R8, R13
	MOVW	R0, ret+20(FP)
	MOVW	4(R13), R4
	MOVW	8(R13), R5
	MOVW	12(R13), R6
	MOVW	16(R13), R7
	MOVW	20(R13), R8
	MOVW	24(R13), R9
	MOVW	28(R13), R11
	MOVW	32(R13), R12
	RET

TEXT swi(SB),NOSPLIT|NOFRAME,$0
	SWI	$0
	BX_LR

// func swiAddr() uint32
TEXT ·swiAddr(SB),NOSPLIT,$0-4
	MOVW	$swi(SB), R0
	MOVW	R0, ret+0(FP)
	RET

TEXT load(SB),NOSPLIT|NOFRAME,$0
	MOVW	(R0), R0
	BX_LR

// func loadAddr() uint32
TEXT ·loadAddr(SB),NOSPLIT,$0-4
	MOVW	$load(SB), R0
	MOVW	R0, ret+0(FP)
	RET

TEXT spin(SB),NOSPLIT|NOFRAME,$0
again:
	SUB.S	$1, R0
	BNE	again
	BX_LR

// func spinAddr() uint32
TEXT ·spinAddr(SB),NOSPLIT,$0-4
	MOVW	$spin(SB), R0
	MOVW	R0, ret+0(FP)
	RET

TEXT readCPSR(SB),NOSPLIT|NOFRAME,$0
	WORD	$0xe10f0000 // mrs r0, cpsr
	WORD	$0xe12fff19 // bx r9

// func readCPSRAddr() uint32
TEXT ·readCPSRAddr(SB),NOSPLIT,$0-4
	MOVW	$readCPSR(SB), R0
	MOVW	R0, ret+0(FP)
	RET

TEXT sigreturn(SB),NOSPLIT|NOFRAME,$0
	MOVW	R6, 184(R13)
	MOVW	R8, 192(R13)
	MOVW	R9, 196(R13)
	MOVW	g, 200(R13)
	MOVW	$173, R7 // rt_sigreturn
	SWI	$0
	BX_LR

// func sigreturnAddr() uint32
TEXT ·sigreturnAddr(SB),NOSPLIT,$0-4
	MOVW	$sigreturn(SB), R0
	MOVW	R0, ret+0(FP)
	RET

TEXT forbidden(SB),NOSPLIT|NOFRAME,$0
	TRY(0xe7f000f0) // udf
	TRY(0xe1200070) // bkpt
	TRY(0xe1400070) // hvc
	TRY(0xe1600070) // smc
	TRY(0xe16ff000) // msr spsr, r0
	TRY(0xe14f0000) // mrs r0, spsr
	TRY(0xe1030300) // mrs r0, sp_svc
	TRY(0xf8900a00) // rfeia r0
	TRY(0xf96d0513) // srsdb sp!, #svc
	TRY(0xeee80a10) // vmsr fpexc, r0
	TRY(0xee010f10) // mcr SCTLR: the MMU off
	TRY(0xee020f10) // mcr TTBR0
	TRY(0xee030f10) // mcr DACR
	TRY(0xee0c0f10) // mcr VBAR
	TRY(0xee080f17) // mcr TLBIALL
	TRY(0xee070f15) // mcr ICIALLU
	TRY(0xee070f36) // mcr DCIMVAC: drop a cache line
	TRY(0xee110f10) // mrc SCTLR
	TRY(0xee120f10) // mrc TTBR0
	TRY(0xee0d0f70) // mcr TPIDRURO
	TRY(0xee0d0f90) // mcr TPIDRPRW
	TRY(0xee090f1e) // mcr PMUSERENR
	TRY(0xee0e0f11) // mcr CNTKCTL
	TRY(0xee0e0f33) // mcr CNTV_CTL
	TRY(0xec410f3e) // mcrr CNTV_CVAL
	TRY(0xec410f02) // mcrr TTBR0
	WORD	$0

// func forbiddenAddr() uint32
TEXT ·forbiddenAddr(SB),NOSPLIT,$0-4
	MOVW	$forbidden(SB), R0
	MOVW	R0, ret+0(FP)
	RET

TEXT harmless(SB),NOSPLIT|NOFRAME,$0
	TRY(0xf10c01c0) // cpsid aif
	TRY(0xf1020013) // cps #svc
	TRY(0xe321f0d3) // msr cpsr_c, #0xd3
	TRY(0xf1010200) // setend be
	TRY(0xef123456) // svc of semihosting, which would end the emulator
	TRY(0xf5d0f000) // pld of kernel memory
	WORD	$0

// func harmlessAddr() uint32
TEXT ·harmlessAddr(SB),NOSPLIT,$0-4
	MOVW	$harmless(SB), R0
	MOVW	R0, ret+0(FP)
	RET

// func cloneAndExit(flags, sp, yields uint32) int32
TEXT ·cloneAndExit(SB),NOSPLIT,$8-16
	MOVW	R4, 4(R13)
	MOVW	R7, 8(R13)
	MOVW	flags+0(FP), R0
	MOVW	sp+4(FP), R1
	MOVW	yields+8(FP), R4
	MOVW	$0, R2
	MOVW	$0, R3
	MOVW	$120, R7 // clone
	SWI	$0
	CMP	$0, R0
	BEQ	child
	MOVW	4(R13), R4
	MOVW	8(R13), R7
	MOVW	R0, ret+12(FP)
	RET
child:
	MOVW	$158, R7 // sched_yield
	SWI	$0
	SUB.S	$1, R4
	BNE	child
	MOVW	$0, R0
	MOVW	$1, R7 // exit
	SWI	$0
