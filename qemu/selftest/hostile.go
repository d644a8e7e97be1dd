package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Addresses for attacks on memory, between what mmap gives by itself and the image.
const (
	arena      = 0x60000000
	arenaPages = 2048
	pageSize   = 4096
)

const (
	protNone = 0
	protRead = syscall.PROT_READ
	protRW   = syscall.PROT_READ | syscall.PROT_WRITE

	mapAnonymous = syscall.MAP_ANON | syscall.MAP_PRIVATE
)

func mapAt(at, size uintptr, prot int) syscall.Errno {
	return errno6(mmap2, at, size, uintptr(prot), mapAnonymous|syscall.MAP_FIXED)
}

func protect(at, size uintptr, prot int) syscall.Errno {
	return raw(syscall.SYS_MPROTECT, at, size, uintptr(prot))
}

func unmap(at, size uintptr) syscall.Errno { return raw(syscall.SYS_MUNMAP, at, size, 0) }

func dontNeed(at, size uintptr) syscall.Errno {
	return raw(syscall.SYS_MADVISE, at, size, syscall.MADV_DONTNEED)
}

const mmap2 = 192

// memoryModel changes mappings at random and compares what the program then may do,
// and finds there, with a table of pages that says what it should.
func memoryModel() error {
	type page struct {
		mapped bool
		prot   int
		value  uint32
	}
	model := make([]page, arenaPages)
	defer unmap(arena, arenaPages*pageSize)
	r := rand.New(rand.NewPCG(1, 2))
	look := func(i int) error {
		p := &model[i]
		word := uintptr(arena + i*pageSize + 8*(i%500))
		const futexWake = 1 // of nobody: it only has to read the page's entry
		readable := raw(syscall.SYS_FUTEX, word, futexWake, 1) == 0
		// The old mask goes to the end of the page, where nothing else is.
		writable := errno6(syscall.SYS_RT_SIGPROCMASK, 0, 0, uintptr(arena+(i+1)*pageSize-8), 8) == 0
		if readable != (p.mapped && p.prot != protNone) || writable != (p.mapped && p.prot == protRW) {
			return fmt.Errorf("page %d, %+v: readable %v, writable %v", i, *p, readable, writable)
		}
		if readable && *at(word) != p.value {
			return fmt.Errorf("page %d, %+v: holds %#x", i, *p, *at(word))
		}
		if writable {
			p.value = r.Uint32()
			*at(word) = p.value
		}
		return nil
	}
	for step := range 4000 {
		lo, n := r.IntN(arenaPages), 1+r.IntN(20)
		if r.IntN(3) == 0 { // whole megabytes, which the page table holds differently
			lo, n = lo&^255, 256*(1+r.IntN(4))
		}
		n = min(n, arenaPages-lo)
		at, size := uintptr(arena+lo*pageSize), uintptr(n*pageSize)
		prot := []int{protNone, protRead, protRW, protRW}[r.IntN(4)]
		pages := model[lo : lo+n]
		var errno, want syscall.Errno
		switch r.IntN(5) {
		case 0:
			errno = unmap(at, size)
			clear(pages)
		case 1, 2:
			errno = mapAt(at, size, prot)
			for i := range pages {
				pages[i] = page{mapped: true, prot: prot}
			}
		case 3:
			errno = protect(at, size, prot)
			for i := range pages {
				if !pages[i].mapped {
					want = syscall.ENOMEM
				}
			}
			for i := range pages {
				if want == 0 {
					pages[i].prot = prot
				}
			}
		case 4:
			errno = dontNeed(at, size)
			for i := range pages {
				pages[i].value = 0
			}
		}
		if errno != want {
			return fmt.Errorf("step %d: %v, want %v", step, errno, want)
		}
		for range 10 {
			if err := look(max(0, min(arenaPages-1, lo-3+r.IntN(n+6)))); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
	}
	return nil
}

// memoryRaces has threads use pages whose rights others change meanwhile, and looks
// for what a translation that the processor should have forgotten would do: bytes
// of one mapping in another.
func memoryRaces() error {
	const pages = 32
	var stop atomic.Bool
	var wg sync.WaitGroup
	var mixed, faulted atomic.Int32
	mapAt(arena, pages*pageSize, protRW)
	for w := range 3 {
		wg.Go(func() {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			for i := uint32(0); !stop.Load(); {
				r := recovered(func() {
					for range 50 {
						i = i*1664525 + 1013904223
						p := at(arena + uintptr(i>>16%pages*pageSize) + uintptr(w*256))
						if v := *p; v != 0 && v>>24 != uint32(w+1) {
							mixed.Add(1)
						}
						*p = uint32(w+1)<<24 | i>>8
					}
				})
				if r != nil {
					faulted.Add(1)
				}
			}
		})
	}
	for w := range 2 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for !stop.Load() {
				i := r.IntN(pages)
				n := 1 + r.IntN(pages-i)
				at, size := uintptr(arena+i*pageSize), uintptr(n*pageSize)
				switch r.IntN(5) {
				case 0:
					unmap(at, size)
				case 1:
					dontNeed(at, size)
				case 2:
					protect(at, size, []int{protNone, protRead, protRW}[r.IntN(3)])
				default:
					mapAt(at, size, protRW)
				}
				// Here the frames that came free may be mapped again.
				m, err := syscall.Mmap(-1, 0, 4*pageSize, protRW, mapAnonymous)
				if err != nil {
					continue
				}
				words := unsafe.Slice((*uint32)(unsafe.Pointer(&m[0])), len(m)/4)
				for _, want := range []uint32{0, 0x5a5a5a5a} {
					for i := 0; i < len(words); i += 64 {
						if words[i] != want {
							mixed.Add(1)
						}
						words[i] = 0x5a5a5a5a
					}
					runtime.Gosched()
				}
				syscall.Munmap(m)
			}
		})
	}
	time.Sleep(time.Second)
	stop.Store(true)
	wg.Wait()
	if faulted.Load() == 0 {
		return errors.New("no access was ever refused")
	}
	return errors.Join(want(mixed.Load(), 0), want(unmap(arena, pages*pageSize), 0))
}

// closeUnderWaiters closes descriptors that other threads wait at.
func closeUnderWaiters() error {
	for round := range 30 {
		var p [2]int
		if err := syscall.Pipe2(p[:], 0); err != nil {
			return err
		}
		ep, err := syscall.EpollCreate1(0)
		if err != nil {
			return err
		}
		ev := syscall.EpollEvent{Events: syscall.EPOLLIN}
		if err := syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, p[0], &ev); err != nil {
			return err
		}
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				if i < 3 {
					syscall.Read(p[0], make([]byte, 8))
					return
				}
				syscall.EpollWait(ep, make([]syscall.EpollEvent, 4), -1)
			})
		}
		time.Sleep(time.Duration(round%4) * 200 * time.Microsecond)
		for _, fd := range [][]int{{p[0], p[1], ep}, {ep, p[1], p[0]}, {p[1], ep, p[0]}}[round%3] {
			syscall.Close(fd)
		}
		done := make(chan bool)
		go func() { wg.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			return fmt.Errorf("round %d: a thread still waits at what was closed", round)
		}
	}
	return nil
}
