package dhcp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Messages are encoded and decoded here instead of by a library, because of the
// image's size: github.com/insomniacslk/dhcp, with what it imports for files,
// labels and random numbers, made it 82 kB larger, and this client needs a
// dozen options. The tests have it as the other end.

// The fixed part of a message: RFC 2131 §2, figure 1.
const (
	offOp     = 0
	offHType  = 1
	offHLen   = 2
	offXID    = 4
	offSecs   = 8
	offFlags  = 10
	offClient = 12 // ciaddr: the client's address, when it has one
	offYour   = 16 // yiaddr: the address given to the client
	offHW     = 28 // chaddr, 16 bytes
	offSName  = 44
	offFile   = 108
	offCookie = 236
	offOption = 240

	opRequest     = 1
	opReply       = 2
	htypeEthernet = 1
	flagBroadcast = 1 << 15
	cookie        = 0x63825363 // RFC 2131 §3

	// A message is at least as long as BOOTP's (RFC 951): relays drop others.
	messageMin = 300
	// Servers are told 1500 (option 57). No limit is needed to decode, but
	// no server has that much to say.
	messageMax = 4096
)

// messageType is the value of option 53 (RFC 2132 §9.6).
type messageType byte

const (
	discover messageType = 1
	offer    messageType = 2
	request  messageType = 3
	ack      messageType = 5
	nak      messageType = 6
)

// Options: RFC 2132.
const (
	optPad                = 0
	optMask               = 1
	optRouter             = 3
	optDNS                = 6
	optHostname           = 12
	optNTP                = 42
	optRequestedAddr      = 50
	optLeaseTime          = 51
	optOverload           = 52 // sname and file have options, too
	optMessageType        = 53
	optServer             = 54
	optParameters         = 55
	optMaxMessage         = 57
	optRenew              = 58
	optRebind             = 59
	optClientID           = 61
	optEnd                = 255
	overloadFile     byte = 1 // bits of optOverload
	overloadSName    byte = 2
)

// message is what a client sends, or what it got.
type message struct {
	op        byte
	xid       [4]byte
	secs      uint16
	broadcast bool
	client    netip.Addr // ciaddr; invalid for none
	your      netip.Addr // yiaddr; invalid for none
	hw        net.HardwareAddr
	options   options
}

// options are values by code. Those that came in parts are whole.
type options map[byte][]byte

// encode returns the message's bytes.
//
// Preconditions: hw is an Ethernet address.
func (m *message) encode() []byte {
	b := make([]byte, offOption, messageMin)
	b[offOp], b[offHType], b[offHLen] = m.op, htypeEthernet, byte(len(m.hw))
	copy(b[offXID:], m.xid[:])
	binary.BigEndian.PutUint16(b[offSecs:], m.secs)
	if m.broadcast {
		binary.BigEndian.PutUint16(b[offFlags:], flagBroadcast)
	}
	copy(b[offClient:], bytes4(m.client))
	copy(b[offYour:], bytes4(m.your))
	copy(b[offHW:offSName], m.hw)
	binary.BigEndian.PutUint32(b[offCookie:], cookie)

	// The type comes first, as servers may expect; the rest by number, so that
	// equal messages are equal.
	if kind, ok := m.options[optMessageType]; ok {
		b = appendOption(b, optMessageType, kind)
	}
	for code := byte(optPad + 1); code < optEnd; code++ {
		if value, ok := m.options[code]; ok && code != optMessageType {
			b = appendOption(b, code, value)
		}
	}
	b = append(b, optEnd)
	return append(b, make([]byte, max(0, messageMin-len(b)))...)
}

// appendOption appends an option, in parts when it is long (RFC 3396 §5).
func appendOption(b []byte, code byte, value []byte) []byte {
	for len(value) > 255 {
		b = append(append(b, code, 255), value[:255]...)
		value = value[255:]
	}
	return append(append(b, code, byte(len(value))), value...)
}

func bytes4(a netip.Addr) []byte {
	if !a.Is4() {
		return make([]byte, 4)
	}
	return a.AsSlice()
}

// decode takes a message apart. What options say is not yet checked.
func decode(b []byte) (*message, error) {
	switch {
	case len(b) < offOption:
		return nil, fmt.Errorf("%d bytes are no message", len(b))
	case len(b) > messageMax:
		return nil, fmt.Errorf("a message of %d bytes", len(b))
	case binary.BigEndian.Uint32(b[offCookie:]) != cookie:
		return nil, errors.New("no DHCP: magic cookie missing")
	case b[offHType] != htypeEthernet || b[offHLen] != 6:
		return nil, fmt.Errorf("hardware address of type %d with %d bytes", b[offHType], b[offHLen])
	}
	m := &message{
		op:        b[offOp],
		xid:       [4]byte(b[offXID:]),
		secs:      binary.BigEndian.Uint16(b[offSecs:]),
		broadcast: b[offFlags]&0x80 != 0,
		client:    addr4(b[offClient:]),
		your:      addr4(b[offYour:]),
		hw:        net.HardwareAddr(b[offHW:][:6]),
		options:   make(options),
	}
	if err := m.options.decode(b[offOption:]); err != nil {
		return nil, err
	}
	// RFC 3396 §5: first file, then sname; they can't name each other again.
	if overload, ok := m.options[optOverload]; ok {
		if len(overload) != 1 || overload[0]&^(overloadFile|overloadSName) != 0 {
			return nil, fmt.Errorf("option overload of %x", overload)
		}
		if overload[0]&overloadFile != 0 {
			if err := m.options.decode(b[offFile:offCookie]); err != nil {
				return nil, fmt.Errorf("file: %w", err)
			}
		}
		if overload[0]&overloadSName != 0 {
			if err := m.options.decode(b[offSName:offFile]); err != nil {
				return nil, fmt.Errorf("sname: %w", err)
			}
		}
	}
	return m, nil
}

// decode adds the options of one field. A value whose code is there already
// continues that one (RFC 3396 §7).
func (o options) decode(b []byte) error {
	for len(b) > 0 {
		code := b[0]
		switch {
		case code == optPad:
			b = b[1:]
			continue
		case code == optEnd:
			return nil
		case len(b) < 2 || len(b) < 2+int(b[1]):
			return fmt.Errorf("option %d is cut short", code)
		}
		end := 2 + int(b[1])
		if was, ok := o[code]; ok {
			o[code] = append(was, b[2:end]...)
		} else {
			o[code] = b[2:end:end] // appending to it copies
		}
		b = b[end:]
	}
	// Servers that forget the end are understood all the same.
	return nil
}

// kind returns the message's type, 0 for none.
func (o options) kind() messageType {
	if v := o[optMessageType]; len(v) == 1 {
		return messageType(v[0])
	}
	return 0
}

// addrs returns the addresses of an option, none if it is malformed.
func (o options) addrs(code byte) (list []netip.Addr) {
	v := o[code]
	if len(v)%4 != 0 {
		return nil
	}
	for ; len(v) > 0; v = v[4:] {
		list = append(list, addr4(v))
	}
	return list
}

// addr returns the address of an option that has one, else the invalid address.
func (o options) addr(code byte) netip.Addr {
	if v := o[code]; len(v) == 4 {
		return addr4(v)
	}
	return netip.Addr{}
}

// duration returns the time of an option of seconds, or another one without it.
func (o options) duration(code byte, otherwise time.Duration) time.Duration {
	if n, ok := o.number(code); ok {
		return time.Duration(n) * time.Second
	}
	return otherwise
}

// number returns the value of an option of 32 bits.
func (o options) number(code byte) (n uint32, ok bool) {
	if v := o[code]; len(v) == 4 {
		return binary.BigEndian.Uint32(v), true
	}
	return 0, false
}

// clientID is how servers tell clients apart: option 61 in the form made of the
// hardware address (RFC 2132 §9.14).
func clientID(hw net.HardwareAddr) []byte { return append([]byte{htypeEthernet}, hw...) }

// addr4 returns the address in the first four bytes.
func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }
