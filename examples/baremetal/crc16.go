// Package crc16 computes the checksum that Modbus puts behind each of its frames. It is
// here for its tests: they run on this machine and, unchanged, on a board.
package crc16

// polynomial is x^16 + x^15 + x^2 + 1, the lowest power in the highest bit, as Modbus
// sends bits.
const polynomial = 0xa001

var table = makeTable()

func makeTable() (t [256]uint16) {
	for i := range t {
		t[i] = bitwise(0, byte(i))
	}
	return t
}

// bitwise adds a byte to a checksum one bit at a time. The table is made with it.
func bitwise(crc uint16, b byte) uint16 {
	crc ^= uint16(b)
	for range 8 {
		if crc&1 != 0 {
			crc = crc>>1 ^ polynomial
		} else {
			crc >>= 1
		}
	}
	return crc
}

// Checksum returns the checksum of data.
func Checksum(data []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range data {
		crc = crc>>8 ^ table[byte(crc)^b]
	}
	return crc
}

// Append appends the checksum of frame to it, the low byte first.
func Append(frame []byte) []byte {
	crc := Checksum(frame)
	return append(frame, byte(crc), byte(crc>>8))
}

// Valid reports whether frame ends with the checksum of what is before it.
func Valid(frame []byte) bool {
	n := len(frame) - 2
	return n >= 0 && Checksum(frame[:n]) == uint16(frame[n])|uint16(frame[n+1])<<8
}
