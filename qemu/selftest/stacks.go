package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// waitingStacks has goroutines that have needed a large stack wait, in every way that there
// is, with pointers from everywhere into their stacks: they get a small one when they have
// waited for a whole collection (tools/image/resting.go), and go on as if nothing had
// happened. Three times, because what has shrunk must be able to grow again.
func waitingStacks() error {
	const n, rounds = 500, 3
	// What has ended keeps its stack until a collection.
	runtime.GC()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)

	var errs [n]error
	var w waits
	w.cond.L = &w.mu
	for range n {
		w.turn = append(w.turn, make(chan [3]int))
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for range rounds {
				if got := deepEnough(40); got != 41 {
					errs[i] = fmt.Errorf("goroutine %d: a deep call returned %d", i, got)
				}
				errs[i] = errors.Join(errs[i], w.wait(i))
			}
		})
	}
	var err error
	for range rounds {
		w.until(n)
		for range 3 { // the first finds them waiting, the second one is enough for 4 KB
			runtime.GC()
		}
		var after runtime.MemStats
		runtime.ReadMemStats(&after)
		if each := (int64(after.StackInuse) - int64(before.StackInuse)) / n; each > 3000 {
			err = errors.Join(err, fmt.Errorf("each of %d goroutines that wait has %d bytes of stack", n, each))
		}
		err = errors.Join(err, w.goOn())
	}
	all.Wait()
	return errors.Join(append(errs[:], err)...)
}

// deepEnough needs more than 2 KB of stack, and less than 8.
func deepEnough(n int) int {
	var pad [64]byte
	pad[n&63] = 1
	if n == 0 {
		return int(pad[0])
	}
	return deepEnough(n-1) + int(pad[n&63])
}

// waits are what goroutines wait for.
type waits struct {
	turn    []chan [3]int // of each goroutine
	never   chan [3]int
	mu      sync.Mutex
	cond    sync.Cond // of round
	round   int
	waiting atomic.Int32
}

// until returns when so many wait, or are about to.
func (w *waits) until(n int) {
	for w.waiting.Load() < int32(n) {
		runtime.Gosched()
	}
}

// goOn has all of them go on.
func (w *waits) goOn() (err error) {
	w.waiting.Store(0)
	w.mu.Lock()
	w.round++
	w.cond.Broadcast()
	w.mu.Unlock()
	for i := range w.turn {
		switch i % 4 {
		case 0, 1:
			w.turn[i] <- [3]int{7, 8, 9}
		case 2:
			if got := <-w.turn[i]; got[1] != got[0]+1 || got[2] != got[0]+2 {
				err = fmt.Errorf("a goroutine that waited has sent %v", got)
			}
		}
	}
	return err
}

// wait waits as the i-th goroutine does, with pointers to its own stack in its frame, in
// what waits, and in what is deferred.
func (w *waits) wait(i int) (err error) {
	var frame [24]int
	for j := range frame {
		frame[j] = i + j
	}
	first, list := &frame[0], frame[8:16]
	defer func() {
		if r := recover(); *first != i || list[0] != i+8 || &list[0] != &frame[8] || r != any(i) {
			err = errors.Join(err, fmt.Errorf("goroutine %d: deferred: %d, %d, %v", i, *first, list[0], r))
		}
	}()
	w.mu.Lock()
	round := w.round
	w.mu.Unlock()
	w.waiting.Add(1)
	switch i % 4 {
	case 0: // to receive into the stack
		if got := <-w.turn[i]; got != [3]int{7, 8, 9} {
			err = fmt.Errorf("goroutine %d received %v", i, got)
		}
	case 1: // the same, in a select
		var got [2][3]int
		select {
		case got[1] = <-w.turn[i]:
		case got[0] = <-w.never:
		}
		if got != [2][3]int{1: {7, 8, 9}} {
			err = fmt.Errorf("goroutine %d selected %v", i, got)
		}
	case 2: // to send from the stack
		w.turn[i] <- [3]int(frame[2:5])
	case 3: // for a condition
		w.mu.Lock()
		for w.round == round {
			w.cond.Wait()
		}
		w.mu.Unlock()
	}
	for j, v := range frame {
		if v != i+j {
			return errors.Join(err, fmt.Errorf("goroutine %d: word %d of its frame is %d", i, j, v))
		}
	}
	panic(i)
}
