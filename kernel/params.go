package kernel

import "unsafe"

// Boot parameters, as package bootparam writes them: a header of magic, length
// and CRC-32, then records of tag, length and data, padded to words. Absent or
// damaged parameters are no parameters: the defaults hold.
const (
	maxParams    = 16 << 10
	paramsHeader = 16

	tagSeed        = 1
	tagWall        = 2
	tagEnv         = 3
	tagArg         = 4
	tagSemihosting = 5
)

type params struct{ block []byte }

// findParams checks a block that a loader may have left in b.
func findParams(b []byte) params {
	if len(b) < paramsHeader || !hasPrefix(b, "INGOTBP1") {
		return params{}
	}
	n := le32(b[8:])
	if n > uint32(len(b)-paramsHeader) {
		return params{}
	}
	payload := b[paramsHeader : paramsHeader+n]
	if crc32(payload) != le32(b[12:]) {
		return params{}
	}
	return params{payload}
}

// next returns the record at offset at, and the offset of the one after it; tag
// is 0 at the end.
func (p params) next(at uint32) (tag uint32, data []byte, after uint32) {
	n := uint32(len(p.block))
	if at > n || n-at < 4 {
		return 0, nil, n
	}
	head := le32(p.block[at:])
	size := head >> 16
	if size > n-at-4 {
		return 0, nil, n
	}
	data = p.block[at+4 : at+4+size]
	return head & 0xffff, data, at + 4 + (size+3)&^3
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func crc32(b []byte) uint32 {
	crc := ^uint32(0)
	for i := range b {
		crc ^= uint32(b[i])
		for range 8 {
			crc = crc>>1 ^ 0xedb88320&-(crc&1)
		}
	}
	return ^crc
}

// applyParams takes what is for the kernel: the seed, the time, and whether there
// is somebody to report the exit code to.
func (k *Kernel) applyParams(p params) {
	for at := uint32(0); ; {
		tag, data, after := p.next(at)
		if tag == 0 {
			return
		}
		switch tag {
		case tagSeed:
			if len(data) > 0 {
				k.random.mix(unsafe.Pointer(&data[0]), uint32(len(data)), uint32(len(data))*8)
				k.random.sources |= fromLoader
			}
		case tagWall:
			if len(data) == 8 {
				k.clock.wall = uint64(le32(data[4:]))<<32 | uint64(le32(data)) - k.nanoseconds(k.now())
			}
		case tagSemihosting:
			k.setSemihosting()
		}
		at = after
	}
}

// wipe clears a block once it was used: it held the seed.
func wipe(block *[maxParams]byte) {
	words := (*[maxParams / 4]uint32)(unsafe.Pointer(block))
	for i := 0; i < len(words); i++ { // with range it would be a call into the runtime
		words[i] = 0
	}
}
