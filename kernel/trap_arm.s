#include "textflag.h"

// The way into the kernel and out of it.
//
// While a thread runs in user mode, SP_svc points just behind its Context in the
// thread table. So every exception does the same: push the return state with SRS
// and the user's registers below it, which fills the Context from the top; then
// take the kernel's own stack and g and call Go. No register is lost and nothing
// has to be looked up.
//
// Interrupts stay masked in the kernel. An abort in it is a bug of the kernel: the
// mode in SPSR tells.

// What is left above is for arguments and results.
#define KERNEL_STACK $0xFFFD4FF0
#define KERNEL_G     $0xFFFC0000
#define FAULT_STACK  $0xFFFE0FE0
#define FAULT_G      $0xFFFC0080

#define CONTEXT_REGS 60 // bytes of r0 to r14; pc and cpsr follow

#define SAVE \
	WORD	$0xf96d0513; \ // srsdb sp!, #0x13: LR and SPSR of this mode onto SVC's stack
	WORD	$0xf10e01d3; \ // cpsid aif, #0x13
	WORD	$0xe94d7fff    // stmdb sp, {r0-r14}^

#define FROM_USER \
	WORD	$0xe14fd000; \ // mrs sp, spsr; this mode's own sp is free to use
	WORD	$0xe20dd01f; \ // and sp, sp, #0x1f
	WORD	$0xe35d0010    // cmp sp, #0x10

TEXT vector_undefined(SB),NOSPLIT|NOFRAME,$0
	WORD	$0xe24ee004 // sub lr, lr, #4
	FROM_USER
	BNE	undefinedInKernel
	SAVE
	MOVW	$1, R0
	B	enter_kernel(SB)
undefinedInKernel:
	MOVW	$1, R0
	B	kernel_fault(SB)

TEXT vector_svc(SB),NOSPLIT|NOFRAME,$0
	SAVE
	MOVW	$2, R0
	B	enter_kernel(SB)

TEXT vector_prefetch(SB),NOSPLIT|NOFRAME,$0
	WORD	$0xe24ee004 // sub lr, lr, #4
	FROM_USER
	BNE	prefetchInKernel
	SAVE
	MOVW	$3, R0
	B	enter_kernel(SB)
prefetchInKernel:
	MOVW	$3, R0
	B	kernel_fault(SB)

TEXT vector_data(SB),NOSPLIT|NOFRAME,$0
	WORD	$0xe24ee008 // sub lr, lr, #8
	FROM_USER
	BNE	dataInKernel
	SAVE
	MOVW	$4, R0
	B	enter_kernel(SB)
dataInKernel:
	MOVW	$4, R0
	B	kernel_fault(SB)

TEXT vector_irq(SB),NOSPLIT|NOFRAME,$0
	WORD	$0xe24ee004 // sub lr, lr, #4
	SAVE
	MOVW	$6, R0
	B	enter_kernel(SB)

// Reset, the unused vector and FIQ, which nothing is routed to.
TEXT vector_unexpected(SB),NOSPLIT|NOFRAME,$0
	MOVW	$0, R0
	B	kernel_fault(SB)

TEXT enter_kernel(SB),NOSPLIT|NOFRAME,$0
	MOVW	KERNEL_STACK, R13
	MOVW	KERNEL_G, g
	MOVW	R0, 4(R13)
	BL	·enter(SB) // func enter(kind uint32) *Context
	MOVW	8(R13), R0
	B	leave_kernel(SB)

// R0: the Context of the thread to run.
TEXT leave_kernel(SB),NOSPLIT|NOFRAME,$0
	MOVW	R0, R13
	WORD	$0xf57ff01f // clrex: no exclusive access survives a switch
	WORD	$0xe8dd7fff // ldmia sp, {r0-r14}^
	WORD	$0xe320f000 // nop: banked registers just loaded
	WORD	$0xe28dd03c // add sp, sp, #60
	WORD	$0xf8bd0a00 // rfeia sp!: pc and cpsr; sp is behind the Context again

// R0: which exception. This mode's LR is where.
TEXT kernel_fault(SB),NOSPLIT|NOFRAME,$0
	MOVW	R14, R1
	WORD	$0xf10e01d3 // cpsid aif, #0x13: to the registers of the code that failed
	MOVW	R13, R2
	MOVW	R14, R3
	MOVW	FAULT_STACK, R13
	MOVW	FAULT_G, g
	MOVW	R0, 4(R13)
	MOVW	R1, 8(R13)
	MOVW	R2, 12(R13)
	MOVW	R3, 16(R13)
	BL	·bug(SB) // func bug(kind, pc, sp, lr uint32)

// func vectorTarget(i uint32) uint32
TEXT ·vectorTarget(SB),NOSPLIT,$0-8
	MOVW	i+0(FP), R0
	MOVW	$vector_unexpected(SB), R1
	CMP	$1, R0
	MOVW.EQ	$vector_undefined(SB), R1
	CMP	$2, R0
	MOVW.EQ	$vector_svc(SB), R1
	CMP	$3, R0
	MOVW.EQ	$vector_prefetch(SB), R1
	CMP	$4, R0
	MOVW.EQ	$vector_data(SB), R1
	CMP	$6, R0
	MOVW.EQ	$vector_irq(SB), R1
	MOVW	R1, ret+4(FP)
	RET

// Where a signal handler returns to, in user mode.
TEXT ·sigreturn(SB),NOSPLIT|NOFRAME,$0
	MOVW	$173, R7 // rt_sigreturn
	SWI	$0
