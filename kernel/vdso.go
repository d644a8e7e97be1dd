package kernel

import "unsafe"

// vdsoImage is an ELF shared object of one symbol, __vdso_clock_gettime@LINUX_2.6:
// all that Go's runtime looks for. The code follows in the same page, alone with it:
// by the page, Go's signal handler tells whether it interrupted vDSO code.
type vdsoImage struct {
	ident                      [4]uint32
	typeMachine, version       uint32
	entry, phoff, shoff, flags uint32
	ehsizePhentsize            uint32
	phnumShentsize             uint32
	shnumShstrndx              uint32

	load    vdsoPhdr
	dynamic vdsoPhdr

	dyn [6]struct{ tag, val uint32 }

	symbols [2]struct{ name, value, size, info uint32 }

	nbucket, nchain, bucket uint32
	chain                   [2]uint32

	versym uint32 // two 16-bit entries: symbol 1 has version 2

	verdef struct {
		versionFlags, ndxCnt, hash, aux, next uint32
		auxName, auxNext                      uint32
	}
	strings [64]byte

	code [vdsoCodeSize]byte
}

// vdsoCodeSize is more than the code has: see vdso_arm.s.
const vdsoCodeSize = 512

type vdsoPhdr struct{ typ, offset, vaddr, paddr, filesz, memsz, flags, align uint32 }

// writeVDSO writes the image to the page at p, with the code, which does not care
// where it lies, copied from code.
func writeVDSO(p, code unsafe.Pointer) {
	const (
		ptLoad, ptDynamic                              = 1, 2
		dtHash, dtStrtab, dtSymtab, dtVersym, dtVerdef = 4, 5, 6, 0x6ffffff0, 0x6ffffffc
		sharedObject, arm                              = 3, 40
		globalFunction                                 = 0x12
		name                                           = "\x00__vdso_clock_gettime\x00LINUX_2.6\x00"
		nameSymbol, nameVersion                        = 1, 22
		hashVersion                                    = 0x3ae75f6 // SysV hash of LINUX_2.6
	)
	v := (*vdsoImage)(p)
	v.ident[0] = 0x464c457f
	v.ident[1] = 0x00010101 // 32 bits, little-endian
	v.typeMachine = sharedObject | arm<<16
	v.version = 1
	v.phoff = uint32(unsafe.Offsetof(v.load))
	v.ehsizePhentsize = v.phoff | uint32(unsafe.Sizeof(v.load))<<16
	v.phnumShentsize = 2
	v.load = vdsoPhdr{typ: ptLoad, filesz: pageSize, memsz: pageSize, flags: 5, align: pageSize}
	at := uint32(unsafe.Offsetof(v.dyn))
	v.dynamic = vdsoPhdr{typ: ptDynamic, offset: at, vaddr: at, paddr: at, filesz: uint32(unsafe.Sizeof(v.dyn)),
		memsz: uint32(unsafe.Sizeof(v.dyn)), flags: 4, align: 4}
	for i, d := range [...][2]uint32{
		{dtHash, uint32(unsafe.Offsetof(v.nbucket))},
		{dtStrtab, uint32(unsafe.Offsetof(v.strings))},
		{dtSymtab, uint32(unsafe.Offsetof(v.symbols))},
		{dtVersym, uint32(unsafe.Offsetof(v.versym))},
		{dtVerdef, uint32(unsafe.Offsetof(v.verdef))},
	} {
		v.dyn[i].tag, v.dyn[i].val = d[0], d[1]
	}
	v.symbols[1].name = nameSymbol
	v.symbols[1].value = uint32(unsafe.Offsetof(v.code))
	v.symbols[1].info = globalFunction | 1<<16 // any section but "undefined"
	v.nbucket, v.nchain, v.bucket = 1, 2, 1
	v.versym = 2 << 16
	v.verdef.versionFlags = 1
	v.verdef.ndxCnt = 2 | 1<<16
	v.verdef.hash = hashVersion
	v.verdef.aux = 20
	v.verdef.auxName = nameVersion
	for i := 0; i < len(name); i++ {
		v.strings[i] = name[i]
	}
	copyBytes(unsafe.Pointer(&v.code), code, vdsoCodeSize)
}
