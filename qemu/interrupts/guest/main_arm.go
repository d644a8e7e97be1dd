// Command guest has our assembly for ciphers interrupted, for package interrupts to look
// where.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	_ "ingot.dev/internal/armcrypto/chacha20"
	_ "ingot.dev/internal/armcrypto/sha512"
)

//go:linkname chacha ingot.dev/internal/armcrypto/chacha20.xorBlocks
func chacha(dst, src []byte, state *[12]uint32)

//go:linkname sha512 ingot.dev/internal/armcrypto/sha512.blocks
func sha512(h *[8]uint64, k *[80]uint64, p []byte)

var zeros [192]byte

// compute takes all of NEON's registers.
func compute(out *[192]byte) {
	state := [12]uint32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	chacha(out[:], zeros[:], &state)
}

func main() {
	runtime.GOMAXPROCS(2)
	runtime.LockOSThread()
	var want [192]byte
	compute(&want)
	var started atomic.Bool
	go disturb(syscall.Getpid(), syscall.Gettid(), &started)
	for !started.Load() {
		runtime.Gosched()
	}
	fmt.Println("computing")
	for {
		var got [192]byte
		if compute(&got); got != want {
			fmt.Printf("wrong: %x, want %x\n", got, want)
			os.Exit(1)
		}
	}
}

// disturb wakes up at any moment, and leaves other things in the registers. It makes
// its system calls itself, since syscall's would ask Go's scheduler.
func disturb(pid, tid int, started *atomic.Bool) {
	runtime.LockOSThread()
	started.Store(true)
	r := rand.New(rand.NewPCG(1, 2))
	var block [128]byte
	var k [80]uint64
	var h [8]uint64
	for i := 0; ; i++ {
		d := syscall.Timespec{Nsec: int32(1000 + r.IntN(1600))}
		syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&d)), 0, 0)
		sha512(&h, &k, block[:])
		if i%8 == 0 { // a handler takes longer than most moments
			syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(pid), uintptr(tid), uintptr(syscall.SIGURG))
		}
	}
}
