package tlsio

import "net"

// Acceptor is what *Listener and *TLSListener have in common.
type Acceptor interface {
	Port() (int, error)
	Target() any
	Close() error
	CloseAll() error
}

var (
	_ Acceptor = (*Listener)(nil)
	_ Acceptor = (*TLSListener)(nil)
)

// acceptedOn makes i the owner of a connection that a acceptor's Read returns.
func acceptedOn(i *instance, a *acceptor, conn net.Conn) {
	l := newLink(a.app, "Read")
	l.owner, l.acceptor = i, a
	i.format = FormatBuffer
	l.join(accountOf(conn))
	i.link.Store(l)
	a.remember(l)
	l.startOn(conn)
}

// shared binds t to the handlers that all connections of its listener have; nil if
// there are none.
func shared[T any](t T, h *template[T]) callbacks {
	if h.Load() == nil {
		return nil
	}
	return &bound[T]{t, h}
}

func (h *Handlers[T]) isZero() bool {
	return h.OnReadable == nil && h.OnWritable == nil && h.OnError == nil && h.OnEnd == nil && h.OnTimeout == nil
}

// Reload replaces the option Connection: the callbacks of all connections that Read
// returns from now on, and of those that it has returned with callbacks and that
// weren't given their own since.
func (l *Listener) Reload(h Handlers[*TCP]) error { return reloadAll(&l.acceptor, &l.connection, h) }

// Reload is as Listener's.
func (l *TLSListener) Reload(h Handlers[*TLS]) error { return reloadAll(&l.acceptor, &l.connection, h) }

func reloadAll[T any](a *acceptor, t *template[T], h Handlers[T]) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable("Reload"); err != nil {
		return err
	}
	t.Store(&h)
	return nil
}

// Listener returns the *Listener or *TLSListener whose Read returned the
// connection, also after hand-overs; nil if there is none or it is closed.
func (i *instance) Listener() Acceptor {
	l, err := i.enter("Listener")
	if err != nil {
		return nil
	}
	defer l.mu.Unlock()
	if l.acceptor == nil {
		return nil
	}
	l.acceptor.mu.Lock()
	defer l.acceptor.mu.Unlock()
	if l.acceptor.closed {
		return nil
	}
	return l.acceptor.self
}

// CloseAll is Close, and Close of all connections that Read has returned, whoever
// they were handed to since; those taken over by NetConn excepted. It works after
// Close too.
func (a *acceptor) CloseAll() error {
	err := a.Close()
	a.mu.Lock()
	links := make([]*link, 0, len(a.links))
	for l := range a.links {
		links = append(links, l)
	}
	a.mu.Unlock()
	for _, l := range links {
		l.mu.Lock()
		if l.owner != nil {
			l.close()
		}
		l.mu.Unlock()
	}
	return err
}

// The links are noted under a.mu, which may be taken while a link's mu is held, not
// the other way round.

func (a *acceptor) remember(l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.links == nil {
		a.links = map[*link]struct{}{}
	}
	a.links[l] = struct{}{}
}

func (a *acceptor) forget(l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.links, l)
}

// replace notes that l goes on where old ends.
func (a *acceptor) replace(old, l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.links, old)
	a.links[l] = struct{}{}
}

// Ref and Unref are as an instance's; see App.Wait.
func (a *acceptor) Ref() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.counted && !a.closed && !a.failed {
		a.counted = true
		a.app.addRef()
	}
}

// Unref lets App.Wait return though the listener is open.
func (a *acceptor) Unref() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unref()
}

// unref is Unref with a.mu held.
func (a *acceptor) unref() {
	if a.counted {
		a.counted = false
		a.app.dropRef()
	}
}

// LocalAddress returns the address that the listener is bound to, in the form of
// an instance's RemoteAddress; the unspecified one stands for all.
func (a *acceptor) LocalAddress() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable("LocalAddress"); err != nil {
		return "", err
	}
	return addressText(addrPort(a.inner.Addr())), nil
}
