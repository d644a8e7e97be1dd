#include "textflag.h"

#define DSB WORD $0xf57ff04f
#define ISB WORD $0xf57ff06f

// The first instructions, from a board's entry point: SVC mode, MMU off, the
// image at its place in RAM. R0: the Board. Builds a page table of sections that
// shows RAM where it is and where the kernel wants it, and the devices; turns on
// MMU, caches and VFP; calls boot, which replaces the table's first half.
TEXT ·start(SB),NOSPLIT|NOFRAME,$0
	WORD	$0xf10e01d3 // cpsid aif, #0x13
	MOVW	R0, R9

	MRC	15, 0, R0, C1, C0, 1 // ACTLR
	ORR	$0x40, R0 // SMP: without it the Cortex-A7 does not cache
	MCR	15, 0, R0, C1, C0, 1
	MRC	15, 0, R0, C1, C0, 0 // SCTLR
	AND	$0x4, R0, R12 // C, as the loader had it
	BIC	$0x1000, R0 // I: instruction cache
	BIC	$0x5, R0 // M, C: MMU, data cache
	MCR	15, 0, R0, C1, C0, 0
	ISB
	MOVW	$0, R0
	MCR	15, 0, R0, C7, C5, 0 // ICIALLU
	MCR	15, 0, R0, C7, C5, 6 // BPIALL
	MCR	15, 0, R0, C8, C7, 0 // TLBIALL
	DSB
	ISB

	// What is in the data caches is no longer wanted: from a loader that had them
	// off it is of before a reset; from one that had them on, it goes to memory
	// first. By set and way, level by level (ARM ARM B2.2.4, B4.1.19 CCSIDR).
	MRC	15, 1, R1, C0, C0, 1 // CLIDR
	MOVW	R1>>23, R2
	AND	$0xe, R2 // levels to the point of coherency, times 2
	MOVW	$0, R3 // level, from 0, times 2
level:
	CMP	R2, R3
	BGE	cachesDone
	ADD	R3>>1, R3, R0
	MOVW	R1>>R0, R0
	AND	$7, R0
	CMP	$2, R0
	BLT	nextLevel // it has no data cache
	MCR	15, 2, R3, C0, C0, 0 // CSSELR
	ISB
	MRC	15, 1, R0, C0, C0, 0 // CCSIDR
	AND	$7, R0, R4
	ADD	$4, R4 // bytes of a line, as a shift
	MOVW	R0>>3, R5
	MOVW	R5<<22, R5
	MOVW	R5>>22, R5 // ways, less 1
	MOVW	R0<<4, R6
	MOVW	R6>>17, R6 // sets, less 1
	CLZ	R5, R7 // where the way is in the operand
way:
	ORR	R5<<R7, R3, R14
	MOVW	R6, R8
	CMP	$0, R12
	BNE	clean
discard:
	ORR	R8<<R4, R14, R0
	MCR	15, 0, R0, C7, C6, 2 // DCISW
	SUB.S	$1, R8
	BPL	discard
	B	nextWay
clean:
	ORR	R8<<R4, R14, R0
	MCR	15, 0, R0, C7, C14, 2 // DCCISW
	SUB.S	$1, R8
	BPL	clean
nextWay:
	SUB.S	$1, R5
	BPL	way
nextLevel:
	ADD	$2, R3
	B	level
cachesDone:
	DSB
	ISB

	MOVW	8(R9), R4 // Board.RAMBase
	MOVW	12(R9), R5 // Board.RAMSize
	ADD	$0x4000, R4, R6 // the level-1 table, 16 KB

	MOVW	$0, R0
	MOVW	R6, R1
	MOVW	$0x4000, R2
clear:
	MOVW.P	R0, 4(R1)
	SUB.S	$4, R2
	BNE	clear

	MOVW	R4>>20, R0
	ADD	R0<<2, R6, R1 // entry of RAM where it is
	ADD	$0x1000, R1, R2 // and 1 GB above
	MOVW	$0x140e, R3 // section: write-back, write-allocate, privileged
	ORR	R4, R3
	MOVW	R5>>20, R0
ram:
	MOVW.P	R3, 4(R1)
	ORR	$0x10, R3, R7 // never executed
	MOVW.P	R7, 4(R2)
	ADD	$0x100000, R3
	SUB.S	$1, R0
	BNE	ram

	ADD	$0x3c00, R6, R1 // entry of 0xF0000000
	MOVW	$0x416, R3 // section: device, privileged, never executed
	MOVW	$0xf0, R0
devices:
	MOVW.P	R3, 4(R1)
	ADD	$0x100000, R3
	SUB.S	$1, R0
	BNE	devices

	DSB
	MOVW	$0, R0
	MCR	15, 0, R0, C2, C0, 2 // TTBCR
	ORR	$0x48, R6, R0 // table walks through the cache
	MCR	15, 0, R0, C2, C0, 0 // TTBR0
	MOVW	$1, R0
	MCR	15, 0, R0, C3, C0, 0 // DACR: domain 0 obeys the table
	MOVW	$0, R0
	MCR	15, 0, R0, C13, C0, 1 // CONTEXTIDR
	DSB
	ISB
	MRC	15, 0, R0, C1, C0, 0 // SCTLR
	BIC	$0x70000000, R0 // TE: exceptions are ARM code; AFE, TRE: the short format without remapping
	BIC	$0x2180000, R0 // EE: little-endian; UWXN, WXN: what can be written may be executed, as here
	BIC	$0x2000, R0 // V: vectors where VBAR says
	BIC	$0x2, R0 // A: unaligned access is allowed
	ORR	$0x1800, R0 // I, Z
	ORR	$0x5, R0 // C, M
	MCR	15, 0, R0, C1, C0, 0
	ISB

	MRC	15, 0, R0, C1, C0, 2 // CPACR
	ORR	$0xf00000, R0 // CP10, CP11: VFP and NEON for everybody
	MCR	15, 0, R0, C1, C0, 2
	ISB
	MOVW	$0x40000000, R0
	WORD	$0xeee80a10 // vmsr fpexc, r0

	// A stack and a g for Go, both through the direct map.
	ADD	$0x40000000, R4, R1
	ADD	$0xc000, R1, R3
	ADD	$0xc040, R1, g
	ADD	$0x8000, R1, R2
	MOVW	R2, 0(g) // stack.lo
	MOVW	R3, 4(g) // stack.hi
	ADD	$1024, R2
	MOVW	R2, 8(g) // stackguard0
	MOVW	R2, 12(g) // stackguard1
	SUB	$16, R3
	MOVW	R3, R13
	MOVW	R9, 4(R13)
	BL	·boot(SB) // func boot(b *Board) *Context
	MOVW	8(R13), R0
	B	leave_kernel(SB)
