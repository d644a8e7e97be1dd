package usbdev

// A Setup is what a control transfer begins with: USB 2.0, table 9-2.
type Setup struct {
	Type    byte // bmRequestType
	Request byte
	Value   uint16
	Index   uint16
	Length  uint16 // of the data that follows, in the direction that Type says
}

// In tells whether the device has to send data.
func (s Setup) In() bool { return s.Type&0x80 != 0 }

// Standard requests: USB 2.0, table 9-4. Others are stalled.
const (
	getStatus        = 0
	clearFeature     = 1
	setFeature       = 3
	setAddress       = 5
	getDescriptor    = 6
	getConfiguration = 8
	setConfiguration = 9
	getInterface     = 10
	setInterface     = 11
)

// Request types: USB 2.0, table 9-2.
const (
	toHost      = 0x80
	ofStandard  = 0 << 5
	ofClass     = 1 << 5
	kinds       = 3 << 5
	ofDevice    = 0
	ofInterface = 1
	ofEndpoint  = 2
)

// controlSize bounds the data of a control transfer, in either direction.
const controlSize = 512

// A State is what the host has made of the device.
type State struct {
	HighSpeed     bool
	Suspended     bool
	Configuration byte   // 0: none
	Alts          []byte // by interface, the chosen setting; nil without configuration
}

// standard answers a request of chapter 9; not ok stalls it. The answer may be longer than
// what the host wants.
func (d *Device) standard(s Setup) (answer []byte, ok bool) {
	configured := d.state.Configuration != 0
	c := d.active()
	switch what := uint16(s.Type)<<8 | uint16(s.Request); what {
	case (toHost|ofDevice)<<8 | getDescriptor:
		return d.descriptor(byte(s.Value>>8), byte(s.Value), s.Index)

	case ofDevice<<8 | setAddress:
		if s.Value > 127 || s.Index != 0 || s.Length != 0 || configured {
			return nil, false
		}
		d.hw.Write32(deviceaddr, uint32(s.Value)<<addrUSBADR|addrUSBADRA)
		return nil, true

	case (toHost|ofDevice)<<8 | getConfiguration:
		return []byte{d.state.Configuration}, s.Value == 0 && s.Index == 0 && s.Length == 1

	case ofDevice<<8 | setConfiguration:
		if s.Value != 0 && s.Value != uint16(c.value) || s.Index != 0 || s.Length != 0 {
			return nil, false
		}
		d.configure(byte(s.Value))
		return nil, true

	case (toHost|ofInterface)<<8 | getInterface:
		if !configured || s.Value != 0 || s.Length != 1 || int(s.Index) >= len(c.alts) {
			return nil, false
		}
		return []byte{d.state.Alts[s.Index]}, true

	case ofInterface<<8 | setInterface:
		if !configured || s.Length != 0 || int(s.Index) >= len(c.alts) || s.Value >= uint16(c.alts[s.Index]) {
			return nil, false
		}
		d.choose(byte(s.Index), byte(s.Value))
		return nil, true

	case (toHost|ofDevice)<<8 | getStatus:
		// Bus-powered, no remote wake-up.
		return []byte{0, 0}, s.Value == 0 && s.Index == 0 && s.Length == 2

	case (toHost|ofInterface)<<8 | getStatus:
		return []byte{0, 0}, configured && s.Value == 0 && int(s.Index) < len(c.alts) && s.Length == 2

	case (toHost|ofEndpoint)<<8 | getStatus:
		if s.Value != 0 || s.Length != 2 {
			return nil, false
		}
		if s.Index&^0x80 == 0 {
			return []byte{0, 0}, true
		}
		p := d.opened(s.Index)
		if p == nil {
			return nil, false
		}
		return []byte{byte(d.hw.Read32(endptctrl+4*uint32(p.number())) >> p.shift() & ctrlStall), 0}, true

	case ofEndpoint<<8 | setFeature, ofEndpoint<<8 | clearFeature:
		const halt = 0
		p := d.opened(s.Index)
		if s.Value != halt || s.Length != 0 || p == nil {
			return nil, false
		}
		d.halt(p, s.Request == setFeature)
		return nil, true
	}
	return nil, false
}

// descriptor answers GET_DESCRIPTOR.
func (d *Device) descriptor(kind, index byte, language uint16) ([]byte, bool) {
	here, there := d.config.FullSpeed, d.config.HighSpeed
	if d.state.HighSpeed {
		here, there = there, here
	}
	switch {
	case kind == DescString && index == 0:
		return []byte{4, DescString, english & 0xff, english >> 8}, true
	case kind == DescString:
		if int(index) > len(d.config.Strings) || language != english {
			return nil, false
		}
		return text(d.config.Strings[index-1]), true
	case index != 0:
		return nil, false
	case kind == DescDevice:
		return d.config.Device, true
	case kind == DescQualifier:
		return qualifier(d.config.Device), true
	case kind == DescConfiguration:
		return here, true
	case kind == DescOtherSpeed:
		other := append([]byte(nil), there...)
		other[1] = DescOtherSpeed
		return other, true
	}
	return nil, false
}

// english is the only language of string descriptors: English (United States), from
// "USB Language Identifiers (LANGIDs)".
const english = 0x0409

// active is the configuration of the present speed.
func (d *Device) active() *configuration {
	if d.state.HighSpeed {
		return &d.high
	}
	return &d.full
}

// configure takes a configuration's value, 0 for none.
func (d *Device) configure(value byte) {
	d.closePipes()
	d.state.Configuration, d.state.Alts = value, nil
	if value != 0 {
		d.state.Alts = make([]byte, len(d.active().alts))
		for i := range d.state.Alts {
			d.choose(byte(i), 0)
		}
	}
	d.changed = true
}

// choose takes an interface's alternate setting. Its pipes start anew, also when the
// setting is the one that it has: USB 2.0, section 9.1.1.5.
func (d *Device) choose(iface, alt byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.active()
	for _, e := range c.endpoints {
		if p := d.pipe(e.address); e.iface == iface && p != nil {
			p.stop()
		}
	}
	d.state.Alts[iface] = alt
	for _, e := range c.endpoints {
		if p := d.pipe(e.address); e.iface == iface && e.alt == alt && p != nil {
			p.start(e)
		}
	}
	d.changed = true
}

// opened is the open pipe that a request means; nil if there is none.
func (d *Device) opened(index uint16) *Pipe {
	if index > 0xff {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.pipe(byte(index)); p != nil && p.open {
		return p
	}
	return nil
}

// pipe finds a pipe by its address.
func (d *Device) pipe(address byte) *Pipe {
	for _, p := range d.pipes {
		if p.address == address {
			return p
		}
	}
	return nil
}
