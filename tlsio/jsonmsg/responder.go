package jsonmsg

import "sync/atomic"

// Responder answers one request. It may be kept and used later, by any goroutine.
type Responder struct {
	s    *session
	id   []byte
	sent atomic.Bool
}

// Send answers the request with v, an object, to which the field responseId is
// added on the wire; v itself is not changed. Only the first answer is sent, later
// ones fail with ErrAnswered. An answer that could not be queued (ErrQueueFull,
// ErrMemory, a v that can't be sent) doesn't count: another may follow.
func (r *Responder) Send(v any) error {
	if r.sent.Swap(true) {
		return ErrAnswered
	}
	line, err := encodeWith(v, keyResponse, r.id, r.s.maxMessage)
	if err == nil {
		err = r.s.send(line)
	}
	if err == ErrNotConnected {
		err = ErrConnectionLost
	}
	if err != nil {
		r.sent.Store(false)
	}
	return err
}

// Done is closed when the requester's connection has ended and no answer can
// reach it any more.
func (r *Responder) Done() <-chan struct{} { return r.s.done }
