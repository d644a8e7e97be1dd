package image

import "strings"

// Go's atomic operations on ARM ask each time whether the processor is of version 7 of the
// architecture, as all boards' are and GOARM says, and adding is a loop in Go around
// a comparison and exchange. Mutexes, counters, the scheduler and the netstack execute 250
// of them for an echo.
var atomics = []cut{{
	// 5,000 instructions of a TLS echo's 71,000, and 0.1 per byte of a plaintext stream. What
	// is left out has no other effect; barriers stay. The package's own tests run on the
	// board (qemu/suites).
	name:  "atomic operations of old processors",
	files: []string{"internal/runtime/atomic/sys_linux_arm.s"},
	edits: []edit{
		asmEdit("TEXT ·Cas(SB),NOSPLIT|NOFRAME,$0", `
	MOVB	runtime·goarm(SB), R11
	CMP	$7, R11
	BLT	2(PC)
	JMP	·armcas(SB)
	JMP	kernelcas<>(SB)
`, "TEXT ·Cas(SB),NOSPLIT|NOFRAME,$0-13; MOVW ptr+0(FP), R1; MOVW old+4(FP), R2; MOVW new+8(FP), R3;"+
			" casl:; LDREX (R1), R0; CMP R0, R2; BNE casfail; DMB MB_ISHST; STREX R3, (R1), R0; CMP $0, R0; BNE casl;"+
			" MOVW $1, R0; DMB MB_ISH; MOVB R0, ret+12(FP); RET; casfail:; MOVW $0, R0; MOVB R0, ret+12(FP); RET"),
		asmEdit("TEXT	·Load(SB),NOSPLIT,$0-8", asmLoad("MOVW"), "TEXT	·Load(SB),NOSPLIT,$0-8; MOVW addr+0(FP), R0; MOVW (R0), R1; DMB MB_ISH; MOVW R1, ret+4(FP); RET"),
		asmEdit("TEXT	·Load8(SB),NOSPLIT,$0-5", asmLoad("MOVB"), "TEXT	·Load8(SB),NOSPLIT,$0-5; MOVW addr+0(FP), R0; MOVB (R0), R1; DMB MB_ISH; MOVB R1, ret+4(FP); RET"),
		asmEdit("TEXT	·Store(SB),NOSPLIT,$0-8", asmStore("MOVW"), "TEXT	·Store(SB),NOSPLIT,$0-8; MOVW addr+0(FP), R1; MOVW v+4(FP), R2; DMB MB_ISH; MOVW R2, (R1); DMB MB_ISH; RET"),
		asmEdit("TEXT	·Store8(SB),NOSPLIT,$0-5", asmStore("MOVB"), "TEXT	·Store8(SB),NOSPLIT,$0-5; MOVW addr+0(FP), R1; MOVB v+4(FP), R2; DMB MB_ISH; MOVB R2, (R1); DMB MB_ISH; RET"),
	},
	also: []part{
		{file: "internal/runtime/atomic/atomic_arm.s", edits: []edit{{
			"// stubs\n",
			"TEXT ·Xadd(SB),NOSPLIT,$0-12; MOVW val+0(FP), R1; MOVW delta+4(FP), R2; xaddl:; LDREX (R1), R0; ADD R2, R0, R3; DMB MB_ISHST; STREX R3, (R1), R4; CMP $0, R4; BNE xaddl; DMB MB_ISH; MOVW R3, ret+8(FP); RET\n",
		}}},
		{file: "internal/runtime/atomic/atomic_arm.go", edits: []edit{{
			"//go:nosplit\nfunc Xadd(val *uint32, delta int32) uint32 {\n\tfor {\n\t\toval := *val\n\t\tnval := oval + uint32(delta)\n\t\tif Cas(val, oval, nval) {\n\t\t\treturn nval\n\t\t}\n\t}\n}\n",
			"//go:noescape\nfunc Xadd(val *uint32, delta int32) uint32\n\n\n\n\n\n\n\n\n",
		}}},
	},
}}

// asmEdit replaces a function of assembly, and keeps the number of lines.
func asmEdit(head, body, with string) edit {
	return edit{head + body, with + strings.Repeat("\n", strings.Count(body, "\n"))}
}

func asmLoad(move string) string {
	return `
	MOVW	addr+0(FP), R0
	` + move + `	(R0), R1

	MOVB	runtime·goarm(SB), R11
	CMP	$7, R11
	BGE	native_barrier
	BL	memory_barrier<>(SB)
	B	end
native_barrier:
	DMB	MB_ISH
end:
	` + move + `	R1, ret+4(FP)
	RET
`
}

func asmStore(move string) string {
	return `
	MOVW	addr+0(FP), R1
	` + move + `	v+4(FP), R2

	MOVB	runtime·goarm(SB), R8
	CMP	$7, R8
	BGE	native_barrier
	BL	memory_barrier<>(SB)
	B	store
native_barrier:
	DMB	MB_ISH

store:
	` + move + `	R2, (R1)

	CMP	$7, R8
	BGE	native_barrier2
	BL	memory_barrier<>(SB)
	RET
native_barrier2:
	DMB	MB_ISH
	RET
`
}
