package tlsio

import (
	"context"
	"sync"
)

// Ref makes Wait wait until release is called; calling it again does nothing.
func (a *App) Ref() (release func()) {
	a.addRef()
	return sync.OnceFunc(a.dropRef)
}

// Wait returns when nothing is open any more that keeps the application serving:
// listeners, sockets that have not failed, and what Ref stands for, except those
// whose Unref was called. It returns ctx's error if that ends before. Wait waits,
// so don't call it from a callback; Run must run meanwhile.
func (a *App) Wait(ctx context.Context) error {
	a.mu.Lock()
	if a.refs == 0 {
		a.mu.Unlock()
		return nil
	}
	if a.unused == nil {
		a.unused = make(chan struct{})
	}
	unused := a.unused
	a.mu.Unlock()
	select {
	case <-unused:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *App) addRef() {
	a.mu.Lock()
	a.refs++
	a.mu.Unlock()
}

func (a *App) dropRef() {
	a.mu.Lock()
	a.refs--
	if a.refs == 0 && a.unused != nil {
		close(a.unused)
		a.unused = nil
	}
	a.mu.Unlock()
}

// Unref lets App.Wait return though this instance is open.
func (i *instance) Unref() { i.setRef(false) }

// Ref undoes Unref. It does nothing on instances that are closed or have failed.
func (i *instance) Ref() { i.setRef(true) }

func (i *instance) setRef(on bool) {
	l, err := i.enter("Ref")
	if err != nil {
		return
	}
	defer l.mu.Unlock()
	if on && !l.counted {
		l.counted = true
		l.app.addRef()
	} else if !on {
		l.unref()
	}
}
