package usbmodel

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// patience bounds the host's transfers.
const patience = 60 * time.Second

// wait waits for f, with the lock held.
func (m *Model) wait(f func() bool) error {
	late := false
	timer := time.AfterFunc(patience, func() {
		m.mu.Lock()
		late = true
		m.cond.Broadcast()
		m.mu.Unlock()
	})
	defer timer.Stop()
	for !f() {
		switch {
		case m.closed || m.unplug:
			return ErrDetach
		case late:
			return ErrTimeout
		}
		m.cond.Wait()
	}
	if m.closed || m.unplug {
		return ErrDetach
	}
	return nil
}

// Reset resets the bus, at high speed or not, and waits for the driver to have dealt
// with it.
func (m *Model) Reset(high bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.wait(func() bool { return m.regs[usbcmd]&run != 0 }); err != nil {
		return err
	}
	m.regs[deviceaddr], m.pending = 0, 0
	m.regs[endptsetupstat], m.second = 0, nil
	for i := range m.engines {
		m.engines[i].host = false
	}
	before := m.resets
	m.regs[portsc1] = 1 << 8
	m.raise(uri)
	if err := m.wait(func() bool { return m.resets > before }); err != nil {
		return err
	}
	m.regs[portsc1] = 0
	if high {
		m.regs[portsc1] = 1 << 9
	}
	m.raise(pci)
	return m.wait(func() bool { return m.regs[usbsts]&pci == 0 })
}

// Suspend stops the bus's frames; Resume starts them again.
func (m *Model) Suspend() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.regs[portsc1] |= 1 << 7
	m.raise(sli)
}

// Resume: see Suspend.
func (m *Model) Resume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.regs[portsc1] &^= 1 << 7
	m.raise(pci)
}

// Unplug makes all of the host's transfers end; Plug is the opposite.
func (m *Model) Unplug() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unplug = true
	m.cond.Broadcast()
}

// Plug: see Unplug.
func (m *Model) Plug() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unplug = false
}

// Address is the device's.
func (m *Model) Address() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.regs[deviceaddr] >> 25
}

// putSetup does what a setup packet does.
func (m *Model) putSetup(packet []byte) {
	h := m.head(0)
	for i := range uint32(2) {
		p := packet[4*i:]
		atomic.StoreUint32(m.word(h+40+4*i), uint32(p[0])|uint32(p[1])<<8|uint32(p[2])<<16|uint32(p[3])<<24)
	}
	m.regs[endptsetupstat] |= 1
	m.regs[endptstat] &^= 1<<16 | 1
	m.regs[endptctrl] &^= stallBit | stallBit<<16
	m.regs[usbcmd] &^= sutw
	m.pending = 0 // only an IN takes the new address over
	m.engines[0].toggle, m.engines[16].toggle = true, true
	m.engines[0].host, m.engines[16].host = true, true
	m.raise(ui)
}

// Setup makes a setup packet.
func Setup(kind, request byte, value, index, length int) []byte {
	return []byte{kind, request, byte(value), byte(value >> 8), byte(index), byte(index >> 8), byte(length), byte(length >> 8)}
}

// Control does a control transfer. data goes to the device, or nil; what it sends is
// returned.
func (m *Model) Control(setup, data []byte) ([]byte, error) {
	m.mu.Lock()
	m.putSetup(setup)
	m.mu.Unlock()
	return m.finish(setup, data)
}

// BreakOff begins a control transfer, and another one while the driver looks at the first,
// which it finishes.
func (m *Model) BreakOff(first, setup, data []byte) ([]byte, error) {
	m.mu.Lock()
	m.second = setup
	m.putSetup(first)
	err := m.wait(func() bool { return m.second == nil })
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return m.finish(setup, data)
}

// Begin sends a setup packet, and nothing more.
func (m *Model) Begin(setup []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.putSetup(setup)
}

func (m *Model) finish(setup, data []byte) (answer []byte, err error) {
	length := int(setup[6]) | int(setup[7])<<8
	in := setup[0]&0x80 != 0
	if in && length > 0 {
		for len(answer) < length {
			p, err := m.inPacket(0, 64)
			if err != nil {
				return nil, err
			}
			answer = append(answer, p...)
			if len(p) < 64 {
				break
			}
		}
		if len(answer) > length {
			m.report("%d bytes for a request of %d", len(answer), length)
		}
		m.setToggle(0, true)
		return answer, m.outPacket(0, 64, nil)
	}
	for chunk := range slices.Chunk(data, 64) {
		if err := m.outPacket(0, 64, chunk); err != nil {
			return nil, err
		}
	}
	m.setToggle(16, true)
	p, err := m.inPacket(0, 64)
	if err != nil {
		return nil, err
	}
	if len(p) > 0 {
		m.report("a status stage with %d bytes", len(p))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch { // the host's data toggles start anew
	case setup[0] == 0 && setup[1] == 9:
		for i := range m.engines {
			m.engines[i].host = m.engines[i].host && i&15 == 0
		}
	case setup[0] == 1 && setup[1] == 11:
		mine := false
		for _, d := range m.config {
			switch {
			case d[1] == 4:
				mine = d[2] == setup[4]
			case d[1] == 5 && mine:
				m.engines[number(d[2])].host = false
			}
		}
	case setup[0] == 2 && setup[1] == 1:
		m.engines[number(setup[4])].host = false
	}
	return nil, nil
}

// number is an endpoint address's bit.
func number(address byte) int { return int(address&15) + int(address>>7)*16 }

func (m *Model) report(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mistake(format, args...)
}

// setToggle: a status stage is always DATA1, on both sides.
func (m *Model) setToggle(bit int, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.engines[bit].toggle, m.engines[bit].host = on, on
}

// ready waits until an endpoint no longer answers NAK.
func (m *Model) ready(bit int) error {
	n, half := uint32(bit&15), 16*(bit/16)
	stalls := func() bool { return m.regs[endptctrl+4*n]>>half&stallBit != 0 }
	err := m.wait(func() bool {
		if n == 0 && m.regs[endptsetupstat]&1 != 0 {
			return false
		}
		return stalls() || m.regs[endptstat]>>bit&1 != 0
	})
	if err == nil && stalls() {
		err = ErrStall
	}
	return err
}

// step compares the two sides' toggles, and turns both.
func (m *Model) step(bit int) {
	e := &m.engines[bit]
	if e.toggle != e.host {
		m.mistake("%d: the data toggles of host and device differ", bit)
	}
	e.toggle = !e.toggle
	e.host = e.toggle
}

// inPacket fetches a packet from an IN endpoint.
func (m *Model) inPacket(n, max int) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	bit := 16 + n
	if err := m.ready(bit); err != nil {
		return nil, err
	}
	m.checkMax(bit, max)
	e := &m.engines[bit]
	size := min(e.left, max)
	var packet []byte
	for _, s := range m.span(bit, size) {
		packet = append(packet, s...)
	}
	e.left -= size
	m.step(bit)
	if e.left == 0 {
		m.retire(bit, 0)
	}
	if n == 0 && m.pending != 0 {
		m.regs[deviceaddr], m.pending = m.pending<<25, 0
	}
	return packet, nil
}

// outPacket sends a packet to an OUT endpoint.
func (m *Model) outPacket(n, max int, packet []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	bit := n
	if err := m.ready(bit); err != nil {
		return err
	}
	m.checkMax(bit, max)
	e := &m.engines[bit]
	if len(packet) > e.left {
		m.retire(bit, halted|bufError)
		return nil
	}
	rest := packet
	for _, s := range m.span(bit, len(packet)) {
		rest = rest[copy(s, rest):]
	}
	e.left -= len(packet)
	m.step(bit)
	if n == 0 {
		m.pending = 0
	}
	if e.left == 0 || len(packet) < max {
		m.retire(bit, 0)
	}
	return nil
}

func (m *Model) checkMax(bit, max int) {
	if have := int(m.get(m.head(bit)) >> 16 & 0x7ff); have != max {
		m.mistake("%d: the queue head has packets of %d bytes, the host's have %d", bit, have, max)
	}
}

// In fetches a transfer from an endpoint, up to a short packet.
func (m *Model) In(n, max int) (data []byte, err error) {
	for {
		p, err := m.inPacket(n, max)
		if err != nil {
			return nil, err
		}
		data = append(data, p...)
		if len(p) < max {
			return data, nil
		}
	}
}

// Out sends a transfer to an endpoint, with a packet without data behind one whose length
// is a multiple of the packet size.
func (m *Model) Out(n, max int, data []byte) error {
	for {
		size := min(len(data), max)
		if err := m.outPacket(n, max, data[:size]); err != nil {
			return err
		}
		data = data[size:]
		if size < max {
			return nil
		}
	}
}

// Fail ends the transfer at work on an endpoint (16+n for IN n) with an error, as after
// packets that were damaged too often.
func (m *Model) Fail(bit int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(bit); err != nil {
		return err
	}
	m.retire(bit, halted|1<<3)
	return nil
}

// A Descriptor is one of those that a configuration is made of.
type Descriptor []byte

// Parse takes a configuration descriptor apart, and checks lengths and counts: USB 2.0,
// section 9.6.
func Parse(b []byte) ([]Descriptor, error) {
	if len(b) < 9 || int(b[2])|int(b[3])<<8 != len(b) {
		return nil, fmt.Errorf("wTotalLength doesn't fit %d bytes", len(b))
	}
	interfaces, left := map[byte]bool{}, 0
	var all []Descriptor
	for rest := b; len(rest) > 0; rest = rest[rest[0]:] {
		if rest[0] < 2 || int(rest[0]) > len(rest) {
			return nil, fmt.Errorf("bLength %d of the last %d bytes", rest[0], len(rest))
		}
		d := Descriptor(rest[:rest[0]])
		size := map[byte]byte{2: 9, 7: 9, 4: 9, 5: 7}[d[1]]
		if size != 0 && d[0] != size {
			return nil, fmt.Errorf("descriptor of type %d has %d bytes", d[1], d[0])
		}
		switch d[1] {
		case 4:
			if left != 0 {
				return nil, fmt.Errorf("%d endpoints are missing before interface %d", left, d[2])
			}
			interfaces[d[2]], left = true, int(d[4])
		case 5:
			left--
		}
		all = append(all, d)
	}
	if left != 0 || len(interfaces) != int(b[4]) {
		return nil, fmt.Errorf("%d endpoints too few, %d interfaces of %d", left, len(interfaces), b[4])
	}
	return all, nil
}

// Enumerate does what a host does with a device that it found, up to
// SET_CONFIGURATION, and returns its device and configuration descriptors.
func (m *Model) Enumerate(high bool) (device, configuration []byte, err error) {
	if err := m.Reset(high); err != nil {
		return nil, nil, err
	}
	get := func(kind, index, length int) []byte {
		if err != nil {
			return nil
		}
		var b []byte
		if b, err = m.Control(Setup(0x80, 6, kind<<8|index, 0, length), nil); err == nil && len(b) < 4 {
			err = fmt.Errorf("descriptor of type %d: %x", kind, b)
		}
		return b
	}
	get(1, 0, 64)
	if err != nil {
		return nil, nil, err
	}
	if err := m.Reset(high); err != nil {
		return nil, nil, err
	}
	const address = 42
	if _, err := m.Control(Setup(0, 5, address, 0, 0), nil); err != nil {
		return nil, nil, err
	}
	if got := m.Address(); got != address {
		return nil, nil, fmt.Errorf("the device has address %d", got)
	}
	device = get(1, 0, 18)
	if b := get(2, 0, 9); err == nil {
		configuration = get(2, 0, int(b[2])|int(b[3])<<8)
	}
	if err != nil {
		return nil, nil, err
	}
	all, err := Parse(configuration)
	if err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	m.config = all
	m.mu.Unlock()
	_, err = m.Control(Setup(0, 9, int(configuration[5]), 0, 0), nil)
	return device, configuration, err
}
