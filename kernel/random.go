package kernel

import "unsafe"

// random is the generator behind getrandom, /dev/urandom and AT_RANDOM: ChaCha20
// (RFC 8439 §2.3) with fast key erasure: the first half of every block becomes
// the next key, so what was given out can't be computed back from the state.
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
			r.block(&out)
		}
	}
	r.bits = min(r.bits+bits, 256)
}

func (r *random) seeded() bool { return r.bits >= 256 }

// block makes 64 bytes, keeps the first 32 as its next key, and leaves the others
// in out[8:].
func (r *random) block(out *[16]uint32) {
	in := [16]uint32{0: 0x61707865, 1: 0x3320646e, 2: 0x79622d32, 3: 0x6b206574}
	for i := range r.key {
		in[4+i] = r.key[i]
	}
	*out = in
	for range 10 {
		quarter(out, 0, 4, 8, 12)
		quarter(out, 1, 5, 9, 13)
		quarter(out, 2, 6, 10, 14)
		quarter(out, 3, 7, 11, 15)
		quarter(out, 0, 5, 10, 15)
		quarter(out, 1, 6, 11, 12)
		quarter(out, 2, 7, 8, 13)
		quarter(out, 3, 4, 9, 14)
	}
	for i := range out {
		out[i] += in[i]
	}
	for i := range r.key {
		r.key[i] = out[i]
		out[i] = 0
	}
}

func quarter(x *[16]uint32, a, b, c, d int) {
	x[a&15] += x[b&15]
	x[d&15] = rotl(x[d&15]^x[a&15], 16)
	x[c&15] += x[d&15]
	x[b&15] = rotl(x[b&15]^x[c&15], 12)
	x[a&15] += x[b&15]
	x[d&15] = rotl(x[d&15]^x[a&15], 8)
	x[c&15] += x[d&15]
	x[b&15] = rotl(x[b&15]^x[c&15], 7)
}

func rotl(v uint32, n uint) uint32 { return v<<n | v>>(32-n) }

// readRandom writes n random bytes to the program's memory at buf.
func (k *Kernel) readRandom(buf, n uint32) bool {
	var out [16]uint32
	for n > 0 {
		k.random.block(&out)
		c := min(n, 32)
		if !k.copyOut(buf, unsafe.Pointer(&out[8]), c) {
			return false
		}
		buf += c
		n -= c
	}
	for i := 0; i < len(out); i++ { // with range it would be a call into the runtime
		out[i] = 0
	}
	return true
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
