package link

import "unsafe"

// words returns the head as words, which its place in a frame is aligned for.
func (f *frame) words() *[headSize / 4]uint32 {
	return (*[headSize / 4]uint32)(unsafe.Pointer(&f.head))
}

const _ = -(unsafe.Offsetof(frame{}.head) % 4) // else this doesn't compile
