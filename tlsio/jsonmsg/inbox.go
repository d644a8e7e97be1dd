package jsonmsg

import (
	"log"
	"runtime/debug"
	"sync"
)

// event is something that a handler is to be told of.
type event struct {
	kind  eventKind
	from  *session // nil for a Client's own events
	in    incoming // eventMessage
	err   error    // eventError, eventClose
	count int      // eventReconnect
}

type eventKind uint8

const (
	eventAuthenticated eventKind = iota
	eventMessage                 // a message or a request
	eventError
	eventTimeout
	eventReconnect
	eventClose
)

// cost is what an event with data of the peer is charged with, in bytes.
func (e *event) cost() int {
	if e.kind != eventMessage {
		return 0
	}
	return len(e.in.body) + len(e.in.id) + 128
}

// inbox calls handlers one after another, in the order of their events. Its
// goroutine lives only while there are events.
type inbox struct {
	handle func(event)
	limit  int             // bytes of messages that may wait
	wg     *sync.WaitGroup // counts the goroutine

	mu      sync.Mutex
	queue   []event
	bytes   int // of messages, the one being handled included
	running bool
	room    chan struct{} // closed when bytes shrinks; nil while nobody waits
}

// post queues one of the events that there are few of, whatever the limit.
func (b *inbox) post(e event) {
	b.mu.Lock()
	b.add(e)
	b.mu.Unlock()
}

// offer queues a message, waiting for room unless its session ends first. It
// reports ErrMemory at once: it is others who hold that.
func (b *inbox) offer(e event) error {
	cost := e.cost()
	b.mu.Lock()
	if b.bytes > 0 && b.bytes+cost > b.limit {
		e.from.stall(true)
		defer e.from.stall(false)
	}
	for b.bytes > 0 && b.bytes+cost > b.limit {
		if b.room == nil {
			b.room = make(chan struct{})
		}
		room := b.room
		b.mu.Unlock()
		select {
		case <-room:
		case <-e.from.done:
			return ErrDisconnected
		}
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if !e.from.mem.take(cost) {
		return ErrMemory
	}
	b.bytes += cost
	b.add(e)
	return nil
}

func (b *inbox) add(e event) {
	b.queue = append(b.queue, e)
	if !b.running {
		b.running = true
		b.wg.Add(1)
		go b.run()
	}
}

func (b *inbox) run() {
	defer b.wg.Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) > 0 {
		e := b.queue[0]
		b.queue[0] = event{}
		b.queue = b.queue[1:]
		b.mu.Unlock()
		b.call(e)
		cost := e.cost()
		if cost > 0 {
			e.from.mem.give(cost)
		}
		b.mu.Lock()
		b.bytes -= cost
		if b.room != nil && cost > 0 {
			close(b.room)
			b.room = nil
		}
	}
	b.queue = nil
	b.running = false
}

// call calls the handler. A panic ends the connection that the event is about,
// and nothing else.
func (b *inbox) call(e event) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err := &PanicError{v, debug.Stack()}
		if e.kind == eventError || e.kind == eventClose || e.kind == eventTimeout || e.from == nil {
			// The connection has ended, or OnError itself is at fault.
			log.Printf("%v\n%s", err, err.Stack)
			return
		}
		e.from.end(err)
	}()
	b.handle(e)
}
