package dns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Numbers of RFC 1035 §3.2 and §4.1.1, and RFC 3596.
const (
	typeA     = 1
	typeCNAME = 5
	typeAAAA  = 28
	classIN   = 1

	headerSize   = 12
	flagResponse = 1 << 15
	opcodeMask   = 15 << 11
	flagTruncate = 1 << 9
	flagRecurse  = 1 << 8
	rcodeMask    = 15

	rcodeSuccess = 0
	rcodeNoName  = 3
)

// question is a question of class IN. The name has labels and dots, and no dot at
// its end.
type question struct {
	name string
	typ  uint16
}

// query appends the question in the form of a message.
func (q question) query(b []byte, id uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, flagRecurse)
	b = append(b, 0, 1, 0, 0, 0, 0, 0, 0) // one question, nothing else
	for label, rest, more := "", q.name, true; more; {
		label, rest, more = strings.Cut(rest, ".")
		b = append(b, byte(len(label)))
		b = append(b, label...)
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint16(b, q.typ)
	return binary.BigEndian.AppendUint16(b, classIN)
}

// message is a message being read.
type message struct {
	b   []byte // all of it: names point back
	at  int
	bad bool // something didn't fit; nothing read since means anything
}

func (m *message) bytes(n int) []byte {
	if m.bad || n > len(m.b)-m.at {
		m.bad = true
		return make([]byte, n)
	}
	m.at += n
	return m.b[m.at-n : m.at]
}

func (m *message) uint16() uint16 { return binary.BigEndian.Uint16(m.bytes(2)) }

// nameMax is the longest name, which has 255 bytes in a message (RFC 1035 §2.3.4).
const nameMax = 253

// name reads a name, following pointers (RFC 1035 §4.1.4), which lead back only:
// so they come to an end. A dot within a label would read like two labels, and no
// name that is asked for has one, so such a name is shown with another byte there.
func (m *message) name() string {
	var name strings.Builder
	after, before := -1, m.at // where to go on; where pointers have to lead before
	for !m.bad {
		n := int(m.bytes(1)[0])
		switch n & 0xc0 {
		case 0:
			if n == 0 {
				if after >= 0 {
					m.at = after
				}
				return name.String()
			}
			if name.Len() > 0 {
				name.WriteByte('.')
			}
			if name.Len()+n > nameMax {
				m.bad = true
			}
			for _, c := range m.bytes(n) {
				if c == '.' {
					c = 0
				}
				name.WriteByte(c)
			}
		case 0xc0:
			to := n&0x3f<<8 | int(m.bytes(1)[0])
			if after < 0 {
				after = m.at
			}
			if to >= before {
				m.bad = true
			}
			m.at, before = to, to
		default:
			m.bad = true
		}
	}
	return ""
}

// parse reads an answer to question q. Addresses count that the name has itself,
// or a name that it is an alias of.
func parse(b []byte, id uint16, q question) (addrs []netip.Addr, truncated bool, err error) {
	m := &message{b: b}
	theirs, flags, questions, answers := m.uint16(), m.uint16(), m.uint16(), m.uint16()
	m.bytes(4) // sections that nobody reads
	if m.bad || theirs != id || flags&(flagResponse|opcodeMask) != flagResponse || questions != 1 {
		return nil, false, ErrBadAnswer
	}
	if name := m.name(); !strings.EqualFold(name, q.name) || m.uint16() != q.typ || m.uint16() != classIN || m.bad {
		return nil, false, ErrBadAnswer
	}
	switch code := flags & rcodeMask; code {
	case rcodeSuccess:
	case rcodeNoName:
		return nil, false, ErrNoName
	default:
		return nil, false, fmt.Errorf("%w: code %d", ErrRefused, code) // RFC 1035 §4.1.1
	}
	if flags&flagTruncate != 0 {
		return nil, true, nil
	}
	alias, aliases := q.name, 0
	for range answers {
		name, typ, class := m.name(), m.uint16(), m.uint16()
		m.bytes(4) // the time to live
		end := int(m.uint16())
		if m.bad || end > len(b)-m.at {
			return nil, false, ErrBadAnswer
		}
		end += m.at
		if class == classIN && (strings.EqualFold(name, q.name) || strings.EqualFold(name, alias)) {
			switch {
			case typ == typeCNAME && aliases < maxAliases:
				alias = m.name()
				aliases++
			case typ == typeA && q.typ == typ:
				addrs = append(addrs, netip.AddrFrom4([4]byte(m.bytes(4))))
			case typ == typeAAAA && q.typ == typ:
				addrs = append(addrs, netip.AddrFrom16([16]byte(m.bytes(16))))
			default:
				m.at = end
			}
		} else {
			m.at = end
		}
		if m.bad || m.at != end {
			return nil, false, ErrBadAnswer
		}
	}
	return addrs, false, nil
}
