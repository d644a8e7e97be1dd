package server

import "fmt"

// recordLog cuts a direction of a connection into TLS records by their headers
// (RFC 8446 section 5.1) and tells of each. It keeps nothing but a header.
type recordLog struct {
	what string // "sent" or "received"
	tell func(message string)

	header [5]byte
	have   int // bytes of header
	body   int // bytes of the record still to come
	broken bool
}

var recordTypes = map[byte]string{20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application_data"}

func (l *recordLog) see(p []byte) {
	for len(p) > 0 && !l.broken {
		if l.body > 0 {
			n := min(l.body, len(p))
			l.body -= n
			p = p[n:]
			continue
		}
		n := copy(l.header[l.have:], p)
		l.have += n
		p = p[n:]
		if l.have < len(l.header) {
			return
		}
		l.have = 0
		name, ok := recordTypes[l.header[0]]
		if !ok || l.header[1] != 3 {
			l.broken = true
			l.tell(l.what + " something that is no TLS record")
			return
		}
		l.body = int(l.header[3])<<8 | int(l.header[4])
		l.tell(fmt.Sprintf("%s %s record of %d bytes", l.what, name, l.body))
	}
}
