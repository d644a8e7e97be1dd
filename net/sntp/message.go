package sntp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// Errors of an answer that can't be used.
var (
	ErrBadAnswer      = errors.New("sntp: not an answer to our question")
	ErrKissOfDeath    = errors.New("sntp: the server wants not to be asked")
	ErrUnsynchronized = errors.New("sntp: the server does not know the time itself")
)

// The packet is written by hand: the NTP module in wide use dials through package
// net, which adds 200 kB of sockets to an image that has none.
const (
	packetSize = 48
	clientMode = 4<<3 | 3 // version 4, mode client
	serverMode = 4

	offStratum    = 1
	offDelay      = 4 // root delay and dispersion, 16.16 fixed point
	offDispersion = 8
	offOriginate  = 24 // what the client sent as its transmit time
	offReceive    = 32
	offTransmit   = 40

	maxStratum  = 15
	maxDistance = 16 << 16 // s, RFC 5905's MAXDISP

	// unixEpoch is 1970 in seconds since 1900, when NTP's era 0 began.
	unixEpoch = 2208988800
)

// query asks the server behind conn what time it is. It returns how much the
// clock that now reads is behind it.
func query(conn net.Conn, now func() time.Time, floor time.Time) (offset time.Duration, stratum int, err error) {
	// The transmit time only comes back to us, so it is a random number, which
	// nobody off the path can guess (RFC 8633 appendix A.1).
	var request, answer [packetSize + 1]byte
	request[0] = clientMode
	rand.Read(request[offTransmit:packetSize])
	sent := now()
	if _, err := conn.Write(request[:packetSize]); err != nil {
		return 0, 0, err
	}
	n, err := conn.Read(answer[:])
	if err != nil {
		return 0, 0, err
	}
	received := now()
	stratum, err = judge(answer[:n], [8]byte(request[offTransmit:packetSize]))
	if err != nil {
		return 0, 0, err
	}
	there := stamp(answer[offReceive:], floor).Sub(sent)
	back := stamp(answer[offTransmit:], floor).Sub(received)
	return there/2 + back/2, stratum, nil
}

// judge refuses what is no answer, or not one to go by (RFC 5905 §7.4, RFC 4330
// §5).
func judge(b []byte, nonce [8]byte) (stratum int, err error) {
	if len(b) < packetSize {
		return 0, fmt.Errorf("%w: %d bytes", ErrBadAnswer, len(b))
	}
	if [8]byte(b[offOriginate:]) != nonce || b[0]&7 != serverMode || binary.BigEndian.Uint64(b[offTransmit:]) == 0 {
		return 0, ErrBadAnswer
	}
	stratum = int(b[offStratum])
	if stratum == 0 {
		return 0, fmt.Errorf("%w: code %q", ErrKissOfDeath, b[12:16])
	}
	delay := uint64(binary.BigEndian.Uint32(b[offDelay:]))
	dispersion := uint64(binary.BigEndian.Uint32(b[offDispersion:]))
	if b[0]>>6 == 3 || stratum > maxStratum || delay/2+dispersion > maxDistance {
		return 0, ErrUnsynchronized
	}
	return stratum, nil
}

// stamp reads an NTP time: seconds since 1900 modulo 2^32, and a fraction. Which
// of the 136-year eras it is in, the earliest time that it can be tells.
func stamp(b []byte, floor time.Time) time.Time {
	sec := int64(binary.BigEndian.Uint32(b)) - unixEpoch
	nsec := int64(uint64(binary.BigEndian.Uint32(b[4:])) * 1e9 >> 32)
	// A little before the floor is a wrong answer, not the next era's.
	for sec < floor.Unix()-1<<31 {
		sec += 1 << 32
	}
	return time.Unix(sec, nsec)
}
