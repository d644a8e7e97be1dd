package nic

import "sync"

// Watch is the part of a driver that knows the link's state, and who wants to know it.
// The zero value is a link that is down. Its methods may be called by any goroutine, but
// for Tell, which belongs to one.
type Watch struct {
	mu       sync.Mutex
	state    LinkState
	watchers []watcher
}

type watcher struct {
	f    func(LinkState)
	told bool
	last LinkState
}

// State returns what Set was given last.
func (w *Watch) State() LinkState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// Set changes the state; Tell passes it on.
func (w *Watch) Set(s LinkState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = s
}

// Add makes f one of those whom Tell calls: with the present state first, and then with
// each other one that it finds.
func (w *Watch) Add(f func(LinkState)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchers = append(w.watchers, watcher{f: f})
}

// Tell calls those who don't know the present state yet, until stop says that it is
// enough. They may call the other methods.
func (w *Watch) Tell(stop func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := 0; i < len(w.watchers); i++ { // f may add another one
		if stop() {
			return
		}
		if to := &w.watchers[i]; !to.told || to.last != w.state {
			to.told, to.last = true, w.state
			f, s := to.f, w.state
			w.mu.Unlock()
			f(s)
			w.mu.Lock()
		}
	}
}
