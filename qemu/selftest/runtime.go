package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

var checks = []check{
	{"preemption", preemption}, // first: a collection takes its time while loops run, the more spans there are
	{"goroutines", goroutines},
	{"channels", channels},
	{"timers", timers},
	{"clock", clock},
	{"gc", gc},
	{"stack-growth", stackGrowth},
	{"nil-recovery", nilRecovery},
	{"wild-recovery", wildRecovery},
	{"stack-of-faults", faultsInGoroutines},
	{"threads", lockedThreads},
	{"atomics", atomics},
	{"floating-point", floatingPoint},
	{"copies", copies},
	{"pipes", pipes},
	{"random", random},
	{"environment", environment},
	{"efault", efault},
	{"text-read-only", textReadOnly},
	{"rodata-read-only", rodataReadOnly},
	{"kernel-memory", kernelMemory},
	{"no-exec", noExec},
	{"files", files},
	{"no-folders", noFolders},
	{"no-time-zones", noTimeZones},
	{"file-to-file", fileToFile},
	{"memory-returned", memoryReturned},
	{"signals", signals},
	{"cpu-profile", cpuProfile},
	{"trace", traces},
	{"many-timers", manyTimers},
	{"finalizers", finalizers},
	{"deep-stacks", deepStacks},
	{"waiting-stacks", waitingStacks},
	{"memory-limit", memoryLimit},
	{"key-derivation", keyDerivation},
	{"pipe-deadlines", pipeDeadlines},
	{"set-clock", setClock},
	{"devices", devices},
	{"memory-model", memoryModel},
	{"memory-races", memoryRaces},
	{"close-under-waiters", closeUnderWaiters},
	{"privileged", privileged},
	{"wild-stack-pointers", wildStackPointers},
	{"wild-jumps", wildJumps},
	{"forged-frames", forgedFrames},
	{"strange-threads", strangeThreads},
}

func goroutines() error {
	const n = 10000
	var wg sync.WaitGroup
	var sum atomic.Int64
	for i := range n {
		wg.Go(func() {
			runtime.Gosched()
			sum.Add(int64(i))
		})
	}
	wg.Wait()
	return want(sum.Load(), int64(n*(n-1)/2))
}

func channels() error {
	const stages, items = 100, 200
	first := make(chan int)
	in := first
	for range stages {
		out := make(chan int)
		go func(in <-chan int, out chan<- int) {
			for v := range in {
				out <- v + 1
			}
			close(out)
		}(in, out)
		in = out
	}
	go func() {
		for i := range items {
			first <- i
		}
		close(first)
	}()
	sum := 0
	for v := range in {
		sum += v
	}
	return want(sum, items*(items-1)/2+items*stages)
}

func timers() error {
	start := time.Now()
	var mu sync.Mutex
	var fired []int
	var wg sync.WaitGroup
	for _, ms := range []int{40, 10, 30, 20} {
		wg.Add(1)
		time.AfterFunc(time.Duration(ms)*time.Millisecond, func() {
			defer wg.Done()
			mu.Lock()
			fired = append(fired, ms)
			mu.Unlock()
		})
	}
	wg.Wait()
	if d := time.Since(start); d < 40*time.Millisecond {
		return fmt.Errorf("a timer of 40ms fired after %v", d)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ctx.Err()
	}
	return want(len(fired), 4)
}

// clock checks that time never goes back, seen from several threads.
func clock() error {
	var last atomic.Int64
	start := time.Now()
	errs := make(chan error, 4)
	for range 4 {
		go func() {
			for range 20000 {
				before := last.Load()
				now := int64(time.Since(start))
				if now < before {
					errs <- fmt.Errorf("time went back by %dns", before-now)
					return
				}
				last.CompareAndSwap(before, now)
			}
			errs <- nil
		}()
	}
	var err error
	for range 4 {
		err = errors.Join(err, <-errs)
	}
	wall, mono := time.Now().Round(0), time.Now()
	time.Sleep(20 * time.Millisecond)
	w, m := time.Now().Round(0).Sub(wall), time.Since(mono)
	if w < 20*time.Millisecond || m < 20*time.Millisecond {
		err = errors.Join(err, fmt.Errorf("slept 20ms, wall clock says %v, monotonic %v", w, m))
	}
	return err
}

type node struct {
	left, right *node
	payload     [6]uintptr
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

func (n *node) count() int {
	if n == nil {
		return 0
	}
	return 1 + n.left.count() + n.right.count()
}

func gc() error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	keep := tree(14)
	var bad atomic.Int32
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if tree(10).count() != 1<<11-1 {
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	runtime.ReadMemStats(&after)
	if after.NumGC == before.NumGC {
		return errors.New("the collector did not run")
	}
	return errors.Join(want(bad.Load(), 0), want(keep.count(), 1<<15-1))
}

// memoryLimit leaves twice as much garbage behind as there is RAM, beside so much that is
// in use that GOGC would have the heap grow beyond it: GOMEMLIMIT sees to it that there is
// always some left for others.
func memoryLimit() error {
	const piece = 64 << 10
	var rubbish atomic.Pointer[[piece]byte]
	defer debug.FreeOSMemory()
	limit := debug.SetMemoryLimit(-1)
	kept := make([][]byte, limit*45/100/piece)
	for i := range kept {
		kept[i] = make([]byte, piece)
		kept[i][i%piece] = byte(i)
	}
	least := math.MaxInt
	for i := range 2 * limit / piece {
		rubbish.Store(new([piece]byte))
		if i%512 == 0 {
			free, err := memFree()
			if err != nil {
				return err
			}
			least = min(least, free)
		}
	}
	for i := range kept {
		if kept[i][i%piece] != byte(i) {
			return fmt.Errorf("piece %d has changed", i)
		}
	}
	if least < 16<<10 {
		return fmt.Errorf("%d kB of RAM were left", least)
	}
	return nil
}

func stackGrowth() error {
	var deep func(n int) int
	deep = func(n int) int {
		var pad [128]byte
		pad[n&127] = 1
		if n == 0 {
			return int(pad[0])
		}
		return deep(n-1) + int(pad[n&127])
	}
	done := make(chan int)
	go func() { done <- deep(50000) }()
	return want(<-done, 50001)
}

func recovered(f func()) (r any) {
	defer func() { r = recover() }()
	f()
	return nil
}

func nilRecovery() error {
	for range 100 {
		var p *node
		r := recovered(func() { p.payload[0]++ })
		if _, ok := r.(runtime.Error); !ok {
			return fmt.Errorf("nil dereference gave %v", r)
		}
	}
	return nil
}

// at is a pointer that no vet would let pass.
func at(addr uintptr) *uint32 { return *(**uint32)(unsafe.Pointer(&addr)) }

// faults tells whether f is stopped by a memory fault.
func faults(f func()) error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	r := recovered(f)
	if _, ok := r.(interface{ Addr() uintptr }); !ok {
		return fmt.Errorf("no fault but %v", r)
	}
	return nil
}

var sink atomic.Uint32

func wildRecovery() error {
	for _, addr := range []uintptr{0x1000, 0x08000000, 0x60000000, 0x7ffffffc, 0xbffffffc &^ 0xffff} {
		if err := faults(func() { sink.Store(*at(addr)) }); err != nil {
			return fmt.Errorf("read of %#x: %w", addr, err)
		}
	}
	return nil
}

func faultsInGoroutines() error {
	errs := make(chan error)
	const n = 50
	for range n {
		go func() {
			var p *node
			var err error
			for range 20 {
				if recovered(func() { p.payload[1]++ }) == nil {
					err = errors.New("no panic")
				}
			}
			errs <- err
		}()
	}
	var err error
	for range n {
		err = errors.Join(err, <-errs)
	}
	return err
}

// preemption has loops without calls hold every P, and needs another goroutine
// and the collector to run all the same.
func preemption() error {
	var stop atomic.Bool
	n := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(n)
	ended := make(chan uint32)
	for range 2 {
		go func() {
			x := uint32(1)
			for !stop.Load() {
				x = x*1664525 + 1013904223
			}
			ended <- x
		}()
	}
	for range 5 {
		time.Sleep(5 * time.Millisecond)
		runtime.GC()
	}
	stop.Store(true)
	<-ended
	<-ended
	return nil
}

func lockedThreads() error {
	const n = 60
	var wg sync.WaitGroup
	start := make(chan bool)
	for range n {
		wg.Go(func() {
			runtime.LockOSThread()
			<-start
			time.Sleep(time.Millisecond)
		})
	}
	close(start)
	wg.Wait()
	return nil
}

func atomics() error {
	var v atomic.Uint64
	var torn atomic.Int32
	var stop atomic.Bool
	var wg sync.WaitGroup
	v.Store(1<<32 | 1)
	for i := range 4 {
		wg.Go(func() {
			for j := uint64(i); !stop.Load(); j += 4 {
				half := j & 0xffffffff
				v.Store(half<<32 | half)
				if w := v.Load(); w>>32 != w&0xffffffff {
					torn.Add(1)
				}
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	stop.Store(true)
	wg.Wait()
	var n atomic.Int64
	for range 4 {
		wg.Go(func() {
			for range 25000 {
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return errors.Join(want(torn.Load(), 0), want(n.Load(), 100000))
}

// floatingPoint keeps values in VFP registers across thread switches, signals and
// the collector.
func floatingPoint() error {
	var wg sync.WaitGroup
	var bad atomic.Int32
	exact := series(1)
	for range 4 {
		wg.Go(func() {
			runtime.LockOSThread()
			for range 60 {
				if series(1) != exact {
					bad.Add(1)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
	})
	wg.Wait()
	return want(bad.Load(), 0)
}

func series(x float64) float64 {
	a, b, c, d := x, x/2, x/3, x/4
	for i := range 20000 {
		f := float64(i)
		a = a*0.999 + f
		b = b*0.998 + a
		c = math.Sqrt(c + b)
		d += c / (f + 1)
	}
	return a + b + c + d
}

// copies compares copy with one byte after the other, at all alignments: between two
// arrays and within one, where what is read and what is written overlap, forwards and
// backwards.
func copies() error {
	const most = 300
	var fresh, got, want [2*most + 16]byte
	for i := range fresh {
		fresh[i] = byte(i*7 + i>>5)
	}
	check := func(n, to, from int) error {
		got, want = fresh, fresh
		for i := range n {
			want[to+i] = fresh[from+i]
		}
		if copy(got[to:to+n], got[from:from+n]); got != want {
			return fmt.Errorf("%d bytes within an array, from %d to %d", n, from, to)
		}
		got, want = [len(got)]byte{}, [len(want)]byte{}
		for i := range n {
			want[to+i] = fresh[from+i]
		}
		if copy(got[to:to+n], fresh[from:from+n]); got != want {
			return fmt.Errorf("%d bytes between arrays, from %d to %d", n, from, to)
		}
		return nil
	}
	for n := 0; n <= most; n += 1 + n/80 {
		for a := range 4 {
			for _, b := range []int{0, 1, 2, 3, 5, 18, 67, most + 1, most + 6} {
				if err := errors.Join(check(n, a, b), check(n, b, a)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func pipes() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	errs := make(chan error, 1)
	go func() {
		_, err := w.Write(data)
		errs <- errors.Join(err, w.Close())
	}()
	for i := 0; ; {
		var b [1000]byte
		n, err := r.Read(b[:])
		for _, c := range b[:n] {
			if c != data[i] {
				return fmt.Errorf("byte %d is %d", i, c)
			}
			i++
		}
		if err != nil {
			if i != len(data) {
				return fmt.Errorf("%d bytes came through: %w", i, err)
			}
			break
		}
	}
	if err := r.SetReadDeadline(time.Now()); err != nil {
		return err
	}
	return errors.Join(<-errs, r.Close())
}

func want[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}
