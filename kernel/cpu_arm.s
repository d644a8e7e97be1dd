#include "textflag.h"

// What Go can't say. Instructions that Go's assembler does not know are given as
// words, with what they are beside them.

#define DSB WORD $0xf57ff04f
#define ISB WORD $0xf57ff06f

// func loadWord(p *uint32) uint32
TEXT ·loadWord(SB),NOSPLIT,$0-8
	MOVW	p+0(FP), R0
	MOVW	(R0), R0
	MOVW	R0, ret+4(FP)
	RET

// func storeWord(p *uint32, v uint32)
TEXT ·storeWord(SB),NOSPLIT,$0-8
	MOVW	p+0(FP), R0
	MOVW	v+4(FP), R1
	DSB // memory before device
	MOVW	R1, (R0)
	RET

// func storeHalf(p *uint32, v uint32)
TEXT ·storeHalf(SB),NOSPLIT,$0-8
	MOVW	p+0(FP), R0
	MOVW	v+4(FP), R1
	MOVH	R1, (R0)
	RET

// func zeroWords(p unsafe.Pointer, n uint32)
TEXT ·zeroWords(SB),NOSPLIT,$0-8
	MOVW	p+0(FP), R0
	MOVW	n+4(FP), R1
	MOVW	$0, R2
	MOVW	$0, R3
	MOVW	$0, R4
	MOVW	$0, R5
	MOVW	$0, R6
	MOVW	$0, R7
	MOVW	$0, R8
	MOVW	$0, R9
zero:
	MOVM.IA.W	[R2-R9], (R0)
	MOVM.IA.W	[R2-R9], (R0)
	SUB.S	$64, R1
	BNE	zero
	RET

// func counter() uint64
TEXT ·counter(SB),NOSPLIT,$0-8
	WORD	$0xec510f1e // mrrc p15, 1, r0, r1, c14: CNTVCT
	MOVW	R0, ret_lo+0(FP)
	MOVW	R1, ret_hi+4(FP)
	RET

// func frequency() uint32
TEXT ·frequency(SB),NOSPLIT,$0-4
	MRC	15, 0, R0, C14, C0, 0 // CNTFRQ
	MOVW	R0, ret+0(FP)
	RET

// func setFrequency(hz uint32)
TEXT ·setFrequency(SB),NOSPLIT,$0-4
	MOVW	hz+0(FP), R0
	MCR	15, 0, R0, C14, C0, 0 // CNTFRQ
	ISB
	RET

// func setCompare(at uint64)
TEXT ·setCompare(SB),NOSPLIT,$0-8
	MOVW	at_lo+0(FP), R0
	MOVW	at_hi+4(FP), R1
	WORD	$0xec410f3e // mcrr p15, 3, r0, r1, c14: CNTV_CVAL
	RET

// func setTimerControl(v uint32)
TEXT ·setTimerControl(SB),NOSPLIT,$0-4
	MOVW	v+0(FP), R0
	MCR	15, 0, R0, C14, C3, 1 // CNTV_CTL
	ISB
	RET

// func allowUserCounter()
TEXT ·allowUserCounter(SB),NOSPLIT,$0-0
	MOVW	$2, R0 // PL0VCTEN
	MCR	15, 0, R0, C14, C1, 0 // CNTKCTL
	ISB
	RET

// func waitForEvent()
TEXT ·waitForEvent(SB),NOSPLIT,$0-0
	DSB
	WORD	$0xe320f003 // wfi: an interrupt ends it although interrupts are masked
	RET

// func invalidateTLB()
TEXT ·invalidateTLB(SB),NOSPLIT,$0-0
	DSB
	MOVW	$0, R0
	MCR	15, 0, R0, C8, C7, 0 // TLBIALL
	DSB
	ISB
	RET

// func invalidatePage(va uint32)
TEXT ·invalidatePage(SB),NOSPLIT,$0-4
	MOVW	va+0(FP), R0
	DSB
	MCR	15, 0, R0, C8, C7, 1 // TLBIMVA; ASID 0
	DSB
	ISB
	RET

// func barrier()
TEXT ·barrier(SB),NOSPLIT,$0-0
	DSB
	ISB
	RET

// func storeVFP(f *FPContext)
TEXT ·storeVFP(SB),NOSPLIT,$0-4
	MOVW	f+0(FP), R0
	WORD	$0xeca00b20 // vstmia r0!, {d0-d15}
	WORD	$0xece00b20 // vstmia r0!, {d16-d31}
	WORD	$0xeef11a10 // vmrs r1, fpscr
	MOVW	R1, (R0)
	RET

// func loadVFP(f *FPContext)
TEXT ·loadVFP(SB),NOSPLIT,$0-4
	MOVW	f+0(FP), R0
	WORD	$0xecb00b20 // vldmia r0!, {d0-d15}
	WORD	$0xecf00b20 // vldmia r0!, {d16-d31}
	MOVW	(R0), R1
	WORD	$0xeee11a10 // vmsr fpscr, r1
	RET

// func setThreadRegister(v uint32)
TEXT ·setThreadRegister(SB),NOSPLIT,$0-4
	MOVW	v+0(FP), R0
	MCR	15, 0, R0, C13, C0, 3 // TPIDRURO
	RET

// func dataFault() (status, addr uint32)
TEXT ·dataFault(SB),NOSPLIT,$0-8
	MRC	15, 0, R0, C5, C0, 0 // DFSR
	MOVW	R0, status+0(FP)
	MRC	15, 0, R0, C6, C0, 0 // DFAR
	MOVW	R0, addr+4(FP)
	RET

// func prefetchFault() (status, addr uint32)
TEXT ·prefetchFault(SB),NOSPLIT,$0-8
	MRC	15, 0, R0, C5, C0, 1 // IFSR
	MOVW	R0, status+0(FP)
	MRC	15, 0, R0, C6, C0, 2 // IFAR
	MOVW	R0, addr+4(FP)
	RET

// func setVectors(va uint32)
TEXT ·setVectors(SB),NOSPLIT,$0-4
	MOVW	va+0(FP), R0
	MCR	15, 0, R0, C12, C0, 0 // VBAR
	ISB
	RET

// func cleanLine(va uint32)
TEXT ·cleanLine(SB),NOSPLIT,$0-4
	MOVW	va+0(FP), R0
	MCR	15, 0, R0, C7, C11, 1 // DCCMVAU
	RET

// func discardLines(p unsafe.Pointer, n uint32)
TEXT ·discardLines(SB),NOSPLIT,$0-8
	MOVW	p+0(FP), R0
	MOVW	n+4(FP), R1
	MRC	15, 0, R2, C0, C0, 1 // CTR
	MOVW	R2>>16, R2
	AND	$0xf, R2
	MOVW	$4, R3
	MOVW	R3<<R2, R2 // bytes of the smallest line of a data cache
discard:
	MCR	15, 0, R0, C7, C14, 1 // DCCIMVAC
	ADD	R2, R0
	SUB.S	R2, R1
	BHI	discard
	RET

// func invalidateCode()
TEXT ·invalidateCode(SB),NOSPLIT,$0-0
	DSB
	MOVW	$0, R0
	MCR	15, 0, R0, C7, C5, 0 // ICIALLU
	MCR	15, 0, R0, C7, C5, 6 // BPIALL
	DSB
	ISB
	RET

// func semihost(op uint32, arg unsafe.Pointer)
TEXT ·semihost(SB),NOSPLIT,$0-8
	MOVW	op+0(FP), R0
	MOVW	arg+4(FP), R1
	WORD	$0xef123456 // svc 0x123456
	RET

// func stop()
TEXT ·stop(SB),NOSPLIT,$0-0
	DSB
	WORD	$0xe320f003 // wfi
	B	-2(PC)

// func sigreturnAddr() uint32
TEXT ·sigreturnAddr(SB),NOSPLIT,$0-4
	MOVW	$·sigreturn(SB), R0
	MOVW	R0, ret+0(FP)
	RET

// func vdsoAddr() uint32
TEXT ·vdsoAddr(SB),NOSPLIT,$0-4
	MOVW	$·vdsoClockGettime(SB), R0
	MOVW	R0, ret+0(FP)
	RET

// func rt0Addr() uint32
TEXT ·rt0Addr(SB),NOSPLIT,$0-4
	MOVW	$_rt0_arm_linux(SB), R0
	MOVW	R0, ret+0(FP)
	RET
