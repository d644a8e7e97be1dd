package qemu

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// The guests of these tests are a few instructions each, written down as
// words: what is tested is the emulator's handling, not the kernel.
// Encodings: ARM Architecture Reference Manual ARMv7-A, chapter A8.

// prologue sets r0 = UART1 and switches its transmitter on
// (i.MX6UL Reference Manual, UARTx_UCR2, bit 2).
var prologue = []uint32{
	0xe3a00402, // mov  r0, #0x02000000
	0xe3800802, // orr  r0, r0, #0x00020000
	0xe3a03004, // mov  r3, #4
	0xe5803084, // str  r3, [r0, #0x84]   UCR2.TXEN
}

// guestExit prints "hello, host\n" and exits with status 42.
var guestExit = words(prologue, []uint32{
	0xe28f1024, // add  r1, pc, #36       text
	0xe4d12001, // ldrb r2, [r1], #1
	0xe3520000, // cmp  r2, #0
	0x15802040, // strne r2, [r0, #0x40]  UTXD
	0x1afffffb, // bne  ldrb
	0xe3a00020, // mov  r0, #0x20         SYS_EXIT_EXTENDED
	0xe28f1004, // add  r1, pc, #4        block
	0xef123456, // svc  0x123456          semihosting call
	0xeafffffe, // b    .
	0x00020026, // block: ADP_Stopped_ApplicationExit
	42,         //        status
	0x6c6c6568, // text: "hell"
	0x68202c6f, //       "o, h"
	0x0a74736f, //       "ost\n"
	0,
})

// guestDump writes the boot parameter block, as its header gives the length,
// to the console and exits with status 0.
var guestDump = words(prologue, []uint32{
	0xe3a01891, // mov  r1, #0x910000
	0xe5914008, // ldr  r4, [r1, #8]      payload length
	0xe2844010, // add  r4, r4, #16       header
	0xe4d12001, // ldrb r2, [r1], #1
	0xe5802040, // str  r2, [r0, #0x40]
	0xe2544001, // subs r4, r4, #1
	0x1afffffb, // bne  ldrb
	0xe3a00020, // mov  r0, #0x20
	0xe28f1004, // add  r1, pc, #4
	0xef123456, // svc  0x123456
	0xeafffffe, // b    .
	0x00020026,
	0,
})

// guestIdle prints "idle\n" and sleeps for good.
var guestIdle = words(prologue, []uint32{
	0xe28f1014, // add  r1, pc, #20
	0xe4d12001, // ldrb r2, [r1], #1
	0xe3520000, // cmp  r2, #0
	0x15802040, // strne r2, [r0, #0x40]
	0x1afffffb, // bne  ldrb
	0xe320f003, // wfi
	0xeafffffd, // b    wfi
	0x656c6469, // "idle"
	0x0000000a, // "\n"
})

// guestSpin computes for good.
var guestSpin = []uint32{0xeafffffe} // b .

// guestReset asks the watchdog for a reset (i.MX6UL Reference Manual,
// WDOGx_WCR, SRS, bit 4, active low).
var guestReset = []uint32{
	0xe3a00402, // mov  r0, #0x02000000
	0xe3800abc, // orr  r0, r0, #0x000bc000
	0xe3a01004, // mov  r1, #4            WDE
	0xe1c010b0, // strh r1, [r0]          WCR
	0xeafffffe, // b    .
}

func words(parts ...[]uint32) []uint32 {
	var all []uint32
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// guestBase is where a guest's first instruction is.
const guestBase = 0x80010000

// writeGuest makes an ELF file of code, to be loaded at the start of RAM.
func writeGuest(t testing.TB, code []uint32) string {
	t.Helper()
	const header = 52 + 32
	size := uint32(4 * len(code))
	var b bytes.Buffer
	for _, v := range []any{
		// Tool Interface Standard, ELF specification 1.2: ELF32 header
		[16]byte{0x7f, 'E', 'L', 'F', 1, 1, 1}, uint16(2 /* EXEC */), uint16(40 /* ARM */), uint32(1),
		uint32(guestBase), uint32(52), uint32(0), uint32(0x05000000 /* EABI 5 */),
		uint16(52), uint16(32), uint16(1), uint16(0), uint16(0), uint16(0),
		// program header: PT_LOAD, RWX
		uint32(1), uint32(header), uint32(guestBase), uint32(guestBase), size, size, uint32(7), uint32(4),
		code,
	} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	// A comma in the path: QEMU's options need it escaped or not,
	// depending on the option.
	dir := filepath.Join(t.TempDir(), "a,b")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "guest.elf")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
