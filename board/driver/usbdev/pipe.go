package usbdev

// A Pipe is one direction of an endpoint other than 0: a ring of slots, each with a buffer
// for one transfer. Slots are counted; slot c is in buffer c modulo the ring's length.
//
//	done <= queued <= limit
//
// Slots up to limit are the controller's as soon as the host has opened the pipe, those up
// to done came back.
type Pipe struct {
	d       *Device
	address byte // as in descriptors: bit 7 is set for IN
	wake    chan struct{}

	buffers []byte
	mask    uint32

	// What follows is guarded by d.mu.
	open    bool
	max     int // packet size while open
	queued  uint32
	done    uint32
	limit   uint32
	lengths []int // of each slot: bytes to send; bytes received, -1 with an error
	bytes   uint32
	ring    []transfer // two for each slot: the second is a zero-length packet
	phys    uint32     // of the ring
	last    *transfer  // the end of the chain
	dropped uint64
	errors  uint64
}

// BufferSize is the size of a slot's buffer in bytes: a multiple of all packet sizes of
// bulk endpoints, so that no packet is longer than what is left of a buffer.
const BufferSize = 2048

func (p *Pipe) in() bool    { return p.address&0x80 != 0 }
func (p *Pipe) number() int { return int(p.address & 15) }

// bit is the pipe's in the registers of all endpoints.
func (p *Pipe) bit() uint32 { return 1 << p.shift() << p.number() }

// shift is the position of its half in ENDPTCTRL.
func (p *Pipe) shift() int {
	if p.in() {
		return 16
	}
	return 0
}

func (p *Pipe) head() *head {
	i := 2 * p.number()
	if p.in() {
		i++
	}
	return &p.d.heads[i]
}

// Slots is the length of the ring.
func (p *Pipe) Slots() uint32 { return p.mask + 1 }

// Buffer returns the buffer of slot c.
func (p *Pipe) Buffer(c uint32) []byte {
	off := int(c&p.mask) * BufferSize
	return p.buffers[off : off+BufferSize : off+BufferSize]
}

// Wake is sent something when slots came back, the pipe closed, or the device.
func (p *Pipe) Wake() <-chan struct{} { return p.wake }

func (p *Pipe) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Send hands slots up to limit to the controller; slot c has lengths[c modulo Slots] bytes
// to send. A
// transfer whose length is a multiple of the packet size is ended by a packet without
// data, as USB 2.0, section 5.8.3, has it. While the host has closed the pipe, they are
// dropped.
func (p *Pipe) Send(limit uint32, lengths []int) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	for c := p.limit; c != limit; c++ {
		p.lengths[c&p.mask] = lengths[c&p.mask]
	}
	p.limit = limit
	p.fill()
}

// Receive hands the buffers of slots up to limit to the controller, at once or when the
// host opens the pipe.
func (p *Pipe) Receive(limit uint32) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	p.limit = limit
	p.fill()
}

// Done is up to where slots came back. For what a slot received see Received.
func (p *Pipe) Done() uint32 {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	p.reap()
	return p.done
}

// Received returns how many bytes came into slot c; less than 0 when that failed.
//
// Preconditions: the slot came back, and was not handed over since.
func (p *Pipe) Received(c uint32) int {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	return p.lengths[c&p.mask]
}

// Dropped counts the transfers that a closed pipe didn't send, and those with errors.
func (p *Pipe) Dropped() (dropped, errors uint64) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	return p.dropped, p.errors
}

// fill queues what there is to queue.
//
// Preconditions: d.mu is held, here and in all below.
func (p *Pipe) fill() {
	if !p.open || p.d.stopped {
		if p.in() {
			p.dropped += uint64(p.limit - p.done)
			p.queued, p.done = p.limit, p.limit
		}
		return
	}
	for ; p.queued != p.limit; p.queued++ {
		i := p.queued & p.mask
		t := &p.ring[2*i]
		n := BufferSize
		if p.in() {
			n = p.lengths[i]
		}
		first := p.phys + 2*i*transferSize
		end := t
		if p.in() && n > 0 && n%p.max == 0 {
			end = &p.ring[2*i+1]
			end.fill(p.bytes, 0)
		}
		t.fill(p.bytes+i*BufferSize, n)
		if end != t {
			t.link(first + transferSize)
		}
		if p.last != nil {
			p.last.link(first)
		}
		p.last = end
	}
	p.run()
}

// chain is the part of the ring that belongs to slot c: one descriptor or two.
func (p *Pipe) chain(c uint32) []transfer {
	i := c & p.mask
	n := 1
	if l := p.lengths[i]; p.in() && l > 0 && l%p.max == 0 {
		n = 2
	}
	return p.ring[2*i:][:n]
}

// run makes sure that the controller sees the end of the chain: IMX6ULRM, "Executing A
// Transfer Descriptor". It stops where it found a chain to end, which the tripwire tells
// from going on.
func (p *Pipe) run() {
	if p.queued == p.done || p.d.stopped {
		return
	}
	hw, bit := p.d.hw, p.bit()
	if hw.Read32(endptprime)&bit != 0 {
		return
	}
	var ready uint32
	for range tripwires {
		hw.Write32(usbcmd, cmdRS|cmdATDTW)
		ready = hw.Read32(endptstat) & bit
		if hw.Read32(usbcmd)&cmdATDTW != 0 {
			break
		}
	}
	hw.Write32(usbcmd, cmdRS)
	if ready != 0 {
		return
	}
	for c := p.done; c != p.queued; c++ {
		chain := p.chain(c)
		for j := range chain {
			if chain[j].load()&tokenActive == 0 {
				continue
			}
			h := p.head()
			h.next = p.phys + (2*(c&p.mask)+uint32(j))*transferSize
			h.token = 0
			hw.Write32(endptprime, bit)
			return
		}
	}
}

// tripwires is how often a tripwire is tried. It trips when the controller is at work in
// the same moment; that it does so each time means that it is broken.
const tripwires = 1000

// reap takes back what the controller is done with, and starts it again behind an error.
func (p *Pipe) reap() {
	if p.open && p.collect() {
		p.d.flush(p.bit())
		p.run()
	}
}

// collect tells whether there were errors.
func (p *Pipe) collect() (failed bool) {
	for ; p.done != p.queued; p.done++ {
		chain := p.chain(p.done)
		first, last := chain[0].load(), chain[len(chain)-1].load()
		i := p.done & p.mask
		switch {
		case (first|last)&tokenErrors != 0:
			failed = true
			p.errors++
			for j := range chain {
				chain[j].drop()
			}
			p.lengths[i] = -1
		case (first|last)&tokenActive != 0:
			return failed
		case !p.in():
			p.lengths[i] = BufferSize - int(first>>tokenTotal&0x7fff)
		}
	}
	return failed
}

// start opens the pipe, as an endpoint descriptor has it.
func (p *Pipe) start(e endpoint) {
	p.open, p.max, p.last = true, int(e.max), nil
	h := p.head()
	*h = head{info: infoZLT | uint32(e.max)<<infoMax, next: terminate}
	p.d.enable(p, uint32(e.kind)<<ctrlType|ctrlToggle|ctrlEnable)
	p.fill()
}

// stop closes it: what was received stays, what wasn't, will be; what was to be sent goes.
func (p *Pipe) stop() {
	if !p.open {
		return
	}
	p.d.flush(p.bit())
	p.collect()
	p.open = false
	p.d.enable(p, 0)
	for i := range p.ring {
		p.ring[i].drop()
	}
	p.queued = p.done
	p.fill()
	p.notify()
}
