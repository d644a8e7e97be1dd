package kernel

import "unsafe"

// copyIn copies n bytes of the program's memory at va to dst.
func (k *Kernel) copyIn(dst unsafe.Pointer, va, n uint32) bool {
	for done := uint32(0); done < n; {
		pa, ok := k.translate(va+done, false)
		if !ok {
			return false
		}
		c := min(n-done, pageSize-pa&pageMask)
		copyBytes(unsafe.Add(dst, done), k.ptr(pa), c)
		done += c
	}
	return true
}

// copyOut copies n bytes from src to the program's memory at va.
func (k *Kernel) copyOut(va uint32, src unsafe.Pointer, n uint32) bool {
	for done := uint32(0); done < n; {
		pa, ok := k.translate(va+done, true)
		if !ok {
			return false
		}
		c := min(n-done, pageSize-pa&pageMask)
		copyBytes(k.ptr(pa), unsafe.Add(src, done), c)
		done += c
	}
	return true
}

// writable tells whether the program may write all of [va, va+n), and gives it
// the frames. After it, copyOut to the range can't fail.
func (k *Kernel) writable(va, n uint32) bool {
	for n > 0 {
		if _, ok := k.translate(va, true); !ok {
			return false
		}
		c := min(n, pageSize-va&pageMask)
		va += c
		n -= c
	}
	return true
}

func (k *Kernel) getWord(va uint32) (uint32, bool) {
	if va&3 == 0 {
		pa, ok := k.translate(va, false)
		if !ok {
			return 0, false
		}
		return *k.word(pa), true
	}
	var w uint32
	ok := k.copyIn(unsafe.Pointer(&w), va, 4)
	return w, ok
}

func (k *Kernel) putWord(va, w uint32) bool { return k.copyOut(va, unsafe.Pointer(&w), 4) }

// copyBytes is memmove for memory that does not overlap. The kernel has its own
// since it may call nothing of the runtime but what image_test.go lists.
func copyBytes(dst, src unsafe.Pointer, n uint32) {
	i := uint32(0)
	if (uintptr(dst)|uintptr(src))&3 == 0 {
		for ; i+4 <= n; i += 4 {
			*(*uint32)(unsafe.Add(dst, i)) = *(*uint32)(unsafe.Add(src, i))
		}
	}
	for ; i < n; i++ {
		*(*byte)(unsafe.Add(dst, i)) = *(*byte)(unsafe.Add(src, i))
	}
}

// getPath reads a NUL-terminated path of at most len(p)-1 bytes.
func (k *Kernel) getPath(p *[64]byte, va uint32) (int32, errno) {
	for i := range p {
		pa, ok := k.translate(va+uint32(i), false)
		if !ok {
			return 0, EFAULT
		}
		p[i] = *(*byte)(k.ptr(pa))
		if p[i] == 0 {
			return int32(i), 0
		}
	}
	return 0, ENOENT // nothing here has so long a name
}
