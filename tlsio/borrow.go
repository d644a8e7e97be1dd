package tlsio

import "runtime"

// Where bytes come in bulk, waking the loop for each portion costs more than handling
// it, and moves the bytes out of the processor's cache. So the goroutine that has read
// them borrows the loop, if that has nothing to do, and calls the callbacks itself:
// still one at a time, in the same order, and none while Run doesn't run.

// borrow reports whether the caller has the loop now. It must call lent then.
func (a *App) borrow() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.running || a.busy || len(a.queue) > 0 || a.ctx.Err() != nil {
		return false
	}
	a.busy = true
	return true
}

// lent dispatches d's events with the loop that borrow gave, and gives it back. A
// panic in a callback ends here and comes out of Run; with runtime.Goexit, the calling
// goroutine ends, and Run's too.
func (a *App) lent(d dispatcher) {
	returned := false
	defer func() {
		var b *broken
		if !returned {
			b = &broken{recover(), trace()}
		}
		a.mu.Lock()
		a.broken, a.busy = b, b != nil
		needed := b != nil || len(a.queue) > 0 || a.ctx.Err() != nil
		a.mu.Unlock()
		if needed {
			a.signal()
		}
	}()
	d.dispatch()
	returned = true
}

// broken is how a callback has ended that didn't return.
type broken struct {
	value any // of its panic; nil for runtime.Goexit
	stack string
}

// end does in Run what the callback did.
func (b *broken) end() {
	if b.value == nil {
		runtime.Goexit()
	}
	// Who recovers gets the callback's value. If nobody does, the trace would show Run
	// only; the panic before shows where the callback was.
	defer panic(b.value)
	panic("in a callback: " + b.stack)
}

// trace returns the goroutine's stack. It has a large frame, so it isn't part of its caller.
//
//go:noinline
func trace() string {
	var buf [4 << 10]byte
	return string(buf[:runtime.Stack(buf[:], false)])
}
