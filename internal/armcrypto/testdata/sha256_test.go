package sha256

import "encoding/binary"

// portable is the sum by the portable code, for hash_test.go.
func portable(msg []byte) []byte {
	end := append(append([]byte{}, msg...), 0x80)
	for len(end)%64 != 56 {
		end = append(end, 0)
	}
	end = binary.BigEndian.AppendUint64(end, 8*uint64(len(msg)))
	d := New()
	blockGeneric(d, end)
	var sum []byte
	for _, w := range d.h {
		sum = binary.BigEndian.AppendUint32(sum, w)
	}
	return sum
}
