// Package bootparam describes the boot parameter page: the few things that
// only the loader of an image can know, handed to the kernel in a block of
// memory before its first instruction runs.
//
// In QEMU the block is a file that the emulator puts into on-chip RAM
// (-device loader,file=F,addr=0x910000,force-raw=on); on a board the boot
// loader writes it. A machine without one boots with defaults, which means
// without a seed, and then nothing that needs random numbers starts.
//
// # Format
//
// Little-endian throughout. The block is
//
//	offset  size  field
//	     0     8  magic "INGOTBP1"
//	     8     4  length of the payload in bytes, a multiple of 4
//	    12     4  CRC-32 (IEEE 802.3) of the payload
//	    16        payload: records, one after another
//
// and a record is
//
//	0     2  tag
//	2     2  length of the data in bytes
//	4        data, followed by zero bytes up to a multiple of 4
//
// with these tags:
//
//	0  end: what follows is ignored; a block need not have it
//	1  seed: 32 to 64 bytes that no one else knows; at most one
//	2  wall clock: int64, nanoseconds since 1970-01-01 UTC; at most one
//	3  environment entry "key=value"; any number, in order
//	4  program argument, from argv[1] on; any number, in order
//	5  semihosting: no data; a debugger or emulator answers semihosting
//	   calls, so the program's exit status can be handed to it
//
// A reader ignores tags it does not know, so that a newer loader can start an
// older image. The whole block is at most 16 KiB.
//
// The kernel has a reader of its own that neither allocates nor trusts the
// block; Decode in this package is the reference that tests hold it against.
package bootparam
