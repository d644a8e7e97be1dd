package kernel

import (
	"math/bits"
	"unsafe"
)

// random is the generator behind getrandom, /dev/urandom and AT_RANDOM: ChaCha20
// (RFC 8439 §2.3) with fast key erasure: the first half of a block becomes the next key
// before anything of the key is given out, so what was can't be computed back from the
// state.
//
// Until it was seeded with 256 bits it gives nothing: getrandom waits, as Linux's
// does (or says EAGAIN to one that asked not to wait).
type random struct {
	key     [8]uint32
	bits    uint32 // of seed mixed in so far, up to 256
	sources uint32 // what brought it before the program started: fromLoader, 1<<NoiseSource.Kind
	told    bool   // on the console, that somebody waits
	waiters queue
}

// fromLoader says that a seed came with the boot parameters.
const fromLoader = 1

// entropyVariable tells the program where random numbers come from, as the values of
// NoiseSource.Kind and the boot parameters are called, with commas.
func (r *random) entropyVariable() (b textBuffer) {
	b.string("INGOT_ENTROPY=")
	start := b.n
	for i, name := range [...]string{0: "boot parameters", NoiseCAAM: "CAAM", NoiseRNGB: "RNGB"} {
		if r.sources>>i&1 == 0 {
			continue
		}
		if b.n > start {
			b.string(", ")
		}
		b.string(name)
	}
	return b
}

// mix takes n bytes of seed at p, of which it believes bits to be unknown to
// anybody else.
func (r *random) mix(p unsafe.Pointer, n, bits uint32) {
	for i := uint32(0); i < n; i++ {
		r.key[i>>2&7] ^= uint32(*(*byte)(unsafe.Add(p, i))) << (i & 3 * 8)
		if i&31 == 31 || i == n-1 {
			var out [16]uint32
			r.step(&out)
		}
	}
	r.bits = min(r.bits+bits, 256)
}

func (r *random) seeded() bool { return r.bits >= 256 }

// step makes 64 bytes, keeps the first 32 as its next key, and leaves the others in
// out[8:].
func (r *random) step(out *[16]uint32) {
	chacha20(out, &r.key, 0)
	for i := range r.key {
		r.key[i] = out[i]
		out[i] = 0
	}
}

// chacha20 is the block function, with a nonce of zeros.
func chacha20(out *[16]uint32, key *[8]uint32, counter uint32) {
	const c0, c1, c2, c3 = 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574
	var (
		x0, x1, x2, x3     = uint32(c0), uint32(c1), uint32(c2), uint32(c3)
		x4, x5, x6, x7     = key[0], key[1], key[2], key[3]
		x8, x9, x10, x11   = key[4], key[5], key[6], key[7]
		x12, x13, x14, x15 = counter, uint32(0), uint32(0), uint32(0)
	)
	for range 10 {
		x0, x4, x8, x12 = quarter(x0, x4, x8, x12)
		x1, x5, x9, x13 = quarter(x1, x5, x9, x13)
		x2, x6, x10, x14 = quarter(x2, x6, x10, x14)
		x3, x7, x11, x15 = quarter(x3, x7, x11, x15)
		x0, x5, x10, x15 = quarter(x0, x5, x10, x15)
		x1, x6, x11, x12 = quarter(x1, x6, x11, x12)
		x2, x7, x8, x13 = quarter(x2, x7, x8, x13)
		x3, x4, x9, x14 = quarter(x3, x4, x9, x14)
	}
	out[0], out[1], out[2], out[3] = x0+c0, x1+c1, x2+c2, x3+c3
	out[4], out[5], out[6], out[7] = x4+key[0], x5+key[1], x6+key[2], x7+key[3]
	out[8], out[9], out[10], out[11] = x8+key[4], x9+key[5], x10+key[6], x11+key[7]
	out[12], out[13], out[14], out[15] = x12+counter, x13, x14, x15
}

func quarter(a, b, c, d uint32) (uint32, uint32, uint32, uint32) {
	a += b
	d = bits.RotateLeft32(d^a, 16)
	c += d
	b = bits.RotateLeft32(b^c, 12)
	a += b
	d = bits.RotateLeft32(d^a, 8)
	c += d
	b = bits.RotateLeft32(b^c, 7)
	return a, b, c, d
}

// readRandom writes n random bytes to the program's memory at buf: what a step leaves, and
// then as many blocks of the key before it as it takes. That key is on the stack until then,
// and nowhere afterwards.
func (k *Kernel) readRandom(buf, n uint32) bool {
	key := k.random.key
	var out [16]uint32
	k.random.step(&out)
	ok := true
	for i, counter := uint32(8), uint32(1); n > 0 && ok; counter++ {
		c := min(n, (16-i)*4)
		ok = k.copyOut(buf, unsafe.Pointer(&out[i&15]), c)
		buf += c
		n -= c
		i = 0
		if n > 0 {
			chacha20(&out, &key, counter)
		}
	}
	// With range these would be calls into the runtime.
	for i := 0; i < len(out); i++ {
		out[i] = 0
	}
	for i := 0; i < len(key); i++ {
		key[i] = 0
	}
	return ok
}

const maxRandom = 16 << 10 // bytes at a time: nothing else runs meanwhile

const grndNonblock = 1

func (k *Kernel) getrandom(buf, n, flags uint32) int32 {
	const (
		random   = 2
		insecure = 4
	)
	if flags&^(grndNonblock|random|insecure) != 0 || flags&(random|insecure) == random|insecure {
		return EINVAL
	}
	if !k.random.seeded() {
		if flags&grndNonblock != 0 {
			return EAGAIN
		}
		// There is no insecure answer either. A program may get here before
		// its main does, in the initialisation of some package, and then
		// can't say itself what it waits for.
		if !k.random.told {
			k.random.told = true
			var b textBuffer
			b.string("ingot: no entropy: the program waits for random numbers. No seed came with the boot parameters, and no noise source has given one: have the boot loader write 32 fresh random bytes into the boot parameters (in QEMU, 'ingot run' does)\n")
			k.print(&b)
		}
		k.blockOn(&k.random.waiters, waitRandom, 0)
		return 0
	}
	n = min(n, maxRandom)
	if !k.readRandom(buf, n) {
		return EFAULT
	}
	return int32(n)
}

// stirRandom mixes what a program writes to /dev/random into the state. As with
// Linux it is not believed to be secret: only addEntropy counts.
func (k *Kernel) stirRandom(buf, n uint32) int32 {
	n = min(n, maxRandom)
	var b [64]byte
	for done := uint32(0); done < n; {
		c := min(n-done, uint32(len(b)))
		if !k.copyIn(unsafe.Pointer(&b), buf+done, c) {
			return EFAULT
		}
		k.random.mix(unsafe.Pointer(&b), c, 0)
		done += c
	}
	return int32(n)
}

// addEntropy implements ioctl(RNDADDENTROPY): a driver of a noise source says how
// many bits it stands for.
func (k *Kernel) addEntropy(arg uint32) int32 {
	bits, ok1 := k.getWord(arg)
	size, ok2 := k.getWord(arg + 4)
	if !ok1 || !ok2 {
		return EFAULT
	}
	if bits > size*8 || size > maxRandom {
		return EINVAL
	}
	if e := k.stirRandom(arg+8, size); e < 0 {
		return e
	}
	k.random.bits = min(k.random.bits+bits, 256)
	if k.random.seeded() {
		for k.random.waiters.head != none {
			k.wake(k.random.waiters.head, 0, false)
		}
	}
	return 0
}
