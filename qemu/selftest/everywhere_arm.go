package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// In everywhere_arm.s.
func scrambleAddr() uint32

//go:noescape
func everyRegister(out *[maxResult]uint32, memory *uint32) (first, end uint32)

// scrambleNEON leaves its own values in all registers of floating point and NEON.
func scrambleNEON()

// maxResult is D0 to D31, twelve registers, the flags, and those of floating point.
const maxResult = 64 + 12 + 2

// interrupted is where scramble interrupted the program: how often, and the last of the
// addresses.
var interrupted struct {
	n  uint32
	at [1 << 16]uint32
}

// everywhere interrupts computations at each of their instructions, or at many, with a
// signal handler that leaves its own values in all registers, and wants them to come to
// the same results. It needs a machine on which an instruction takes about a microsecond,
// as setitimer counts them.
func everywhere() error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and so the thread ends with it
		result <- func() error {
			type action struct{ handler, flags, restorer, mask, mask2 uint32 }
			const onStack, sigInfo = 0x08000000, 4
			ours := action{handler: scrambleAddr(), flags: onStack | sigInfo, mask: 0xffffffff, mask2: 0xffffffff}
			var old action
			set := func(to, old *action) error {
				_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGPROF), uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
				if e != 0 {
					return e
				}
				return nil
			}
			if err := set(&ours, &old); err != nil {
				return err
			}
			return errors.Join(interruptRegisters(), interruptHash(), interruptTLS(), interruptX25519(), interruptP256(), set(&old, nil))
		}()
	}()
	return <-result
}

// after sends SIGPROF to the thread that runs when that many microseconds have passed, 0
// for never.
func after(us uint32) error {
	value := [4]uint32{0, 0, us / 1e6, us % 1e6}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETITIMER, 2, uintptr(unsafe.Pointer(&value)), 0); e != 0 {
		return e
	}
	return nil
}

// interruptEach runs f with a signal after 10 µs, and one more each time, until f is over
// before. inside says which addresses are its. It returns those that were interrupted.
func interruptEach(inside func(pc uint32) bool, f func() error) (map[uint32]bool, error) {
	seen := map[uint32]bool{}
	missed := uint32(0)
	for us := uint32(10); missed < 200; us++ {
		if us > 10_000_000 {
			return nil, fmt.Errorf("no end after %d interrupts", len(seen))
		}
		before := interrupted.n
		if err := after(us); err != nil {
			return nil, err
		}
		err := f()
		came := interrupted.n - before
		after(0)
		hit := false
		for i := range came {
			if pc := interrupted.at[(before+i)%uint32(len(interrupted.at))]; inside(pc) {
				seen[pc] = true
				hit = true
			}
		}
		if err != nil {
			return nil, fmt.Errorf("interrupted %d times, after %d µs: %w", came, us, err)
		}
		if missed++; hit || len(seen) == 0 {
			missed = 0
		}
	}
	return seen, nil
}

func interruptRegisters() error {
	run := func() (out [maxResult]uint32, memory, first, end uint32) {
		first, end = everyRegister(&out, &memory)
		return
	}
	want, wantMemory, first, end := run()
	seen := map[uint32]bool{}
	left := (end - first) / 4
	for range 10 { // Go's other threads may take a place now and then
		at, err := interruptEach(func(pc uint32) bool { return first <= pc && pc < end }, func() error {
			if got, memory, _, _ := run(); got != want || memory != wantMemory {
				return fmt.Errorf("registers are %x and %x, without it %x and %x", got, memory, want, wantMemory)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for pc := range at {
			seen[pc] = true
		}
		if left = (end-first)/4 - uint32(len(seen)); left == 0 {
			fmt.Printf("each of %d instructions was interrupted\n", len(seen))
			return nil
		}
	}
	return fmt.Errorf("%d of %d instructions were not interrupted", left, (end-first)/4)
}

// switchRegisters has another thread woken by a timer at each instruction. That runs at
// once, leaves its own values in all registers of NEON, and waits again. It ends the
// program: Go can't stop other threads where a microsecond is an instruction.
func switchRegisters() error {
	runtime.GOMAXPROCS(2) // threads that don't wait for each other
	runtime.LockOSThread()
	var fds [2]int32
	if _, _, e := syscall.RawSyscall(syscall.SYS_PIPE2, uintptr(unsafe.Pointer(&fds)), 0, 0); e != 0 {
		return e
	}
	defer syscall.Close(int(fds[0]))
	var delay [2]uint32 // seconds and nanoseconds; 0 is the end
	var asleep, woken uint32
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		var b [1]byte
		for {
			syscall.RawSyscall(syscall.SYS_READ, uintptr(fds[0]), uintptr(unsafe.Pointer(&b)), 1)
			if delay[1] == 0 {
				return // and the thread ends, which has strange registers
			}
			atomic.StoreUint32(&asleep, 1)
			syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&delay)), 0, 0)
			scrambleNEON()
			atomic.AddUint32(&woken, 1)
		}
	}()
	start := func(ns uint32) {
		delay[1] = ns
		syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fds[1]), uintptr(unsafe.Pointer(&fds)), 1)
	}
	yieldUntil := func(is func() bool) {
		for !is() {
			syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
		}
	}
	defer func() { start(0); <-ended; syscall.Close(int(fds[1])) }()

	var want, got [maxResult]uint32
	var memory uint32
	first, end := everyRegister(&want, &memory)
	wantMemory := memory
	hits := uint32(0)
	for range 3 { // Go's other threads may take a place now and then
		late := 0
		for ns := uint32(100); late < 50; ns += 100 {
			if ns > 100_000_000 {
				return fmt.Errorf("no end after %d switches", hits)
			}
			before := atomic.LoadUint32(&woken)
			asleep = 0
			start(ns)
			yieldUntil(func() bool { return atomic.LoadUint32(&asleep) != 0 })
			got, memory = [maxResult]uint32{}, 0
			begun := atomic.LoadUint32(&woken)
			everyRegister(&got, &memory)
			after := atomic.LoadUint32(&woken)
			if got != want || memory != wantMemory {
				return fmt.Errorf("after a thread switch registers are %x and %x, without it %x and %x", got, memory, want, wantMemory)
			}
			late++
			if begun != before {
				late = 0
			} else if after != before {
				late, hits = 0, hits+1
			}
			yieldUntil(func() bool { return atomic.LoadUint32(&woken) != before })
		}
	}
	if most := (end - first) / 4; hits < most {
		return fmt.Errorf("%d switches in %d instructions", hits, most)
	}
	fmt.Printf("%d thread switches in %d instructions\n", hits, (end-first)/4)
	return nil
}

// interruptHash does so, here and there, with SHA-256.
func interruptHash() error {
	data := make([]byte, 100)
	for i := range data {
		data[i] = byte(i)
	}
	want := sha256.Sum256(data)
	return interruptMany("SHA-256", 3000, func() error {
		if got := sha256.Sum256(data); got != want {
			return fmt.Errorf("the hash is %x, without it %x", got, want)
		}
		return nil
	})
}

// interruptTLS does so with records of ChaCha20-Poly1305.
func interruptTLS() error {
	client, server, err := tlsPair()
	if err != nil {
		return err
	}
	data, got := bytes.Repeat([]byte("0123456789abcdef"), 20), make([]byte, 320)
	return interruptMany("a TLS record", 1500, func() error {
		if _, err := client.Write(data); err != nil {
			return err
		}
		if _, err := io.ReadFull(server, got); err != nil {
			return err
		}
		if !bytes.Equal(data, got) {
			return fmt.Errorf("%q came", got)
		}
		return nil
	})
}

// interruptX25519 does so with a key exchange.
func interruptX25519() error {
	ours, err1 := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{7}, 32))
	theirs, err2 := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{9}, 32))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	want, err := theirs.ECDH(ours.PublicKey())
	if err != nil {
		return err
	}
	return interruptMany("X25519", 60, func() error {
		if got, err := ours.ECDH(theirs.PublicKey()); err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("the secret is %x, %v; without it %x", got, err, want)
		}
		return nil
	})
}

// interruptP256 does so with signatures.
func interruptP256() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte("what is signed"))
	return interruptMany("P-256", 60, func() error {
		signature, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
		if err != nil {
			return err
		}
		if !ecdsa.VerifyASN1(&key.PublicKey, hash[:], signature) {
			return errors.New("a signature doesn't match")
		}
		return nil
	})
}

// interruptMany runs f many times, each with a signal a little later.
func interruptMany(what string, runs uint32, f func() error) error {
	if err := f(); err != nil { // what is done once
		return err
	}
	start := time.Now()
	err := f()
	took := uint32(time.Since(start).Microseconds())
	inside, places := uint32(0), map[uint32]bool{}
	for i := range runs {
		before := interrupted.n
		if err == nil {
			err = after(10 + uint32(uint64(i)*uint64(took)/uint64(runs)))
		}
		if err == nil {
			err = f()
		}
		came := interrupted.n - before
		after(0)
		if err != nil {
			return fmt.Errorf("%s, interrupted %d times: %w", what, came, err)
		}
		if came > 0 {
			inside++
			places[interrupted.at[before%uint32(len(interrupted.at))]] = true
		}
	}
	if inside < runs/10 { // the others came on the way into f and out of it
		return fmt.Errorf("%s: only %d of %d signals came before its end", what, inside, runs)
	}
	fmt.Printf("%s was interrupted %d times at %d places\n", what, inside, len(places))
	return nil
}
