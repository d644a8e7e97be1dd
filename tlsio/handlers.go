package tlsio

import "sync/atomic"

// Handlers are an instance's callbacks; T is *TCP or *TLS. They mean what the
// options of the same names mean; any of them may be nil.
type Handlers[T any] struct {
	OnReadable func(t T, bytes int)
	OnWritable func(t T, bytes int)
	OnError    func(t T, err error)
	OnEnd      func(t T)
	OnTimeout  func(t T)
}

// callbacks calls the handlers of one instance.
type callbacks interface {
	readable(bytes int)
	writable(bytes int)
	failed(err error)
	end()
	timeout() (told bool)
}

// template holds the handlers of one instance, or those that all instances of a
// listener share, so that they can be replaced for all at once.
type template[T any] = atomic.Pointer[Handlers[T]]

// bound is an instance with its handlers.
type bound[T any] struct {
	t T
	h *template[T]
}

func bind[T any](t T, h Handlers[T]) *bound[T] {
	b := &bound[T]{t, new(template[T])}
	b.h.Store(&h)
	return b
}

func (b *bound[T]) readable(n int) {
	if f := b.h.Load().OnReadable; f != nil {
		f(b.t, n)
	}
}

func (b *bound[T]) writable(n int) {
	if f := b.h.Load().OnWritable; f != nil {
		f(b.t, n)
	}
}

func (b *bound[T]) failed(err error) {
	if f := b.h.Load().OnError; f != nil {
		f(b.t, err)
	}
}

func (b *bound[T]) end() {
	if f := b.h.Load().OnEnd; f != nil {
		f(b.t)
	}
}

func (b *bound[T]) timeout() bool {
	f := b.h.Load().OnTimeout
	if f != nil {
		f(b.t)
	}
	return f != nil
}

// Reload replaces all callbacks of this instance, also where it had those of its
// listener. With AllowHalfOpen, OnEnd is required. Events that were told are not told again; an instance that had no
// callbacks is told of all that can be read and written now.
func (t *TCP) Reload(h Handlers[*TCP]) error { return t.reload(bind(t, h), h.OnEnd != nil) }

// Reload is as TCP's.
func (t *TLS) Reload(h Handlers[*TLS]) error { return t.reload(bind(t, h), h.OnEnd != nil) }

func (i *instance) reload(c callbacks, onEnd bool) error {
	const op = "Reload"
	l, err := i.enter(op)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if i.halfOpen && !onEnd {
		return &Error{Op: op, Stage: StageOptions, Err: &OptionError{"OnEnd", nil, needOnEnd}}
	}
	first := i.calls == nil
	i.calls = c
	if first {
		l.renew()
	}
	return nil
}
