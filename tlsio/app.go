package tlsio

import (
	"context"
	"sync"
)

// ErrRunning is returned by App.Run while another Run is active.
var ErrRunning error = &sentinel{"tlsio: the application is running already", nil}

// App is one application: the network that its instances use, and the loop that
// calls their callbacks one after another, never two at once (ECMA-419 sections
// 8.5 and A.4). State that only callbacks touch needs no locks.
//
// Methods of instances may be called from any goroutine. Where 419's guarantees
// on order matter (no callback before the constructor has returned, none begun
// once Close was called), call them from callbacks or from functions given to
// Post, as a 419 script would.
type App struct {
	network Network
	budget  *Budget

	mu      sync.Mutex
	queue   []task
	spare   []task // the queue's other array
	running bool
	ctx     context.Context // Run's, while running
	busy    bool            // a callback may be running: in Run, or in who has borrowed the loop
	broken  *broken         // how a borrower's callback has ended; Run is to end so
	wake    chan struct{}   // makes Run look at all that

	refs   int           // what Wait waits for
	unused chan struct{} // closed when refs becomes 0; nil if nobody waits
}

// task is an instance with pending events, or a posted function. Instances stand
// in the queue at most once, so its length is bounded by their number.
type task struct {
	events dispatcher
	f      func()
}

type dispatcher interface{ dispatch() }

// NewApp makes an application on network. Nothing is called until Run.
func NewApp(network Network) *App {
	return &App{network: network, wake: make(chan struct{}, 1)}
}

// Network returns the network that the application was made on.
func (a *App) Network() Network { return a.network }

// SetBudget makes b bound the memory of the application's instances: those that are
// made from now on, by NewTCP, NewTLS and listeners without a Budget of their own.
// Constructors return ErrBudget when it has no room. Call it before them.
func (a *App) SetBudget(b *Budget) { a.budget = b }

// Post queues f to be called by the loop, after what is queued already.
func (a *App) Post(f func()) { a.push(task{f: f}) }

func (a *App) push(t task) {
	a.mu.Lock()
	a.queue = append(a.queue, t)
	idle := !a.busy // else who is busy looks at the queue afterwards
	a.mu.Unlock()
	if idle {
		a.signal()
	}
}

func (a *App) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run calls callbacks until ctx ends, and returns ctx's error. What is pending
// then stays queued; Run may be called again. Instances are not closed.
//
// Callbacks run in Run's goroutine or, where bytes come in bulk, in one that borrows the
// loop; none runs before Run is called or after it has returned.
//
// A panic in a callback comes out of Run. A program that recovers from it may call
// Run again: no other callback is lost.
func (a *App) Run(ctx context.Context) error {
	a.mu.Lock()
	if a.running {
		a.mu.Unlock()
		return ErrRunning
	}
	a.running, a.ctx = true, ctx
	a.mu.Unlock()
	defer context.AfterFunc(ctx, a.signal)()
	var batch []task
	next := 0 // in batch
	own := false
	defer func() {
		a.mu.Lock()
		if next < len(batch) {
			a.queue = append(batch[next:], a.queue...)
		}
		a.running, a.ctx = false, nil
		if own {
			a.busy = false
		}
		a.mu.Unlock()
	}()
	a.mu.Lock()
	for {
		if b := a.broken; b != nil {
			a.broken, own = nil, true
			a.mu.Unlock()
			b.end()
		}
		if a.busy || len(a.queue) == 0 {
			ended := !a.busy && ctx.Err() != nil
			a.mu.Unlock()
			if ended {
				return ctx.Err()
			}
			<-a.wake
			a.mu.Lock()
			continue
		}
		a.busy, own = true, true
		batch, next = a.queue, 0
		a.queue, a.spare = a.spare[:0], nil
		a.mu.Unlock()
		for next < len(batch) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			t := batch[next]
			batch[next] = task{}
			next++
			if t.f != nil {
				t.f()
			} else {
				t.events.dispatch()
			}
		}
		a.mu.Lock()
		a.spare = batch[:0]
		a.busy, own = false, false
	}
}
