// Command guest has our assembly for ciphers compute with one secret after the other, for
// package consttime to compare.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"unsafe"

	_ "crypto/ecdh" // and what scalarBaseMult is in

	_ "ingot.dev/internal/armcrypto/chacha20"
	"ingot.dev/internal/armcrypto/fiat"
	"ingot.dev/internal/armcrypto/field"
	_ "ingot.dev/internal/armcrypto/poly1305"
	_ "ingot.dev/internal/armcrypto/sha256"
	_ "ingot.dev/internal/armcrypto/sha512"
)

//go:linkname chacha ingot.dev/internal/armcrypto/chacha20.xorBlocks
func chacha(dst, src []byte, state *[12]uint32)

//go:linkname poly1305 ingot.dev/internal/armcrypto/poly1305.blocks
func poly1305(h *[3]uint64, r *[2]uint64, msg []byte)

//go:linkname sha256 ingot.dev/internal/armcrypto/sha256.blocks
func sha256(h *[8]uint32, k *[64]uint32, p []byte)

//go:linkname sha512 ingot.dev/internal/armcrypto/sha512.blocks
func sha512(h *[8]uint64, k *[80]uint64, p []byte)

//go:linkname p256Mul ingot.dev/internal/armcrypto/fiat.p256Mul
func p256Mul(out, a, b *[4]uint64)

//go:linkname p256Add ingot.dev/internal/armcrypto/fiat.p256Add
func p256Add(out, a, b *[4]uint64)

//go:linkname p256Sub ingot.dev/internal/armcrypto/fiat.p256Sub
func p256Sub(out, a, b *[4]uint64)

//go:linkname p256Square ingot.dev/internal/armcrypto/fiat.p256Square
func p256Square(out, a *[4]uint64)

//go:linkname p256SetOne ingot.dev/internal/armcrypto/fiat.p256SetOne
func p256SetOne(out *[4]uint64)

//go:linkname p256ToMontgomery ingot.dev/internal/armcrypto/fiat.p256ToMontgomery
func p256ToMontgomery(out, a *[4]uint64)

//go:linkname p256FromMontgomery ingot.dev/internal/armcrypto/fiat.p256FromMontgomery
func p256FromMontgomery(out, a *[4]uint64)

//go:linkname p256ToBytes ingot.dev/internal/armcrypto/fiat.p256ToBytes
func p256ToBytes(out *[32]uint8, a *[4]uint64)

//go:linkname p256FromBytes ingot.dev/internal/armcrypto/fiat.p256FromBytes
func p256FromBytes(out *[4]uint64, b *[32]uint8)

//go:linkname p256Selectznz ingot.dev/internal/armcrypto/fiat.p256Selectznz
func p256Selectznz(out *[4]uint64, yes uint64, zero, nonzero *[4]uint64)

//go:linkname p256Pick ingot.dev/internal/armcrypto/fiat.p256Pick
func p256Pick(out, first *[4]uint64, stride, count uintptr, n uint32)

// scalarBaseMult is the standard library's, by a file that the test puts there.
func scalarBaseMult(p *[3]number, scalar []byte)

// What computations work on. The secret is in one place, since addresses are to be the
// same; it isn't all the same to any of them, so it is made new each time.
var (
	secret [1024]byte
	out    [1024]byte
	k32    [64]uint32
	k64    [80]uint64
	table  [32][4]uint64
)

// at has the secret's bytes from i on be a T.
func at[T any](i int) *T { return (*T)(unsafe.Pointer(&secret[i])) }

// result has the result be a T.
func result[T any]() *T { return (*T)(unsafe.Pointer(&out)) }

// below2p255 makes the numbers of the secret ones below the moduli of P-256: more than
// nearly all random ones are.
func below2p255() {
	for i := 31; i < len(secret); i += 32 {
		secret[i] &= 0x7f
	}
}

type number = [4]uint64

var operations = []struct {
	name string
	do   func()
}{
	{"ChaCha20", func() { chacha(out[:320], secret[48:368], at[[12]uint32](0)) }},
	{"Poly1305", func() { poly1305(result[[3]uint64](), at[[2]uint64](0), secret[16:336]) }},
	{"SHA-256", func() { sha256(result[[8]uint32](), &k32, secret[:256]) }},
	{"SHA-512", func() { sha512(result[[8]uint64](), &k64, secret[:512]) }},
	{"X25519", func() { field.X25519(result[[32]byte](), at[[32]byte](0), at[[32]byte](32)) }},
	{"P-256: inverse of a scalar", func() { below2p255(); fiat.P256OrdInverse(at[number](0)) }},
	{"P-256: field", func() {
		below2p255()
		// Many pairs, since a borrow or a last reduction comes with few of them.
		for i := 0; i < len(secret); i += 64 {
			a, b := at[number](i), at[number](i+32)
			p256Mul(result[number](), a, b)
			p256Square(result[number](), a)
			p256Add(result[number](), a, b)
			p256Sub(result[number](), a, b)
			p256ToMontgomery(result[number](), a)
			p256FromMontgomery(result[number](), a)
		}
		p256SetOne(result[number]())
	}},
	{"P-256: bytes", func() {
		p256FromBytes(result[number](), at[[32]byte](0))
		p256ToBytes(result[[32]byte](), at[number](0))
	}},
	{"P-256: choices", func() {
		p256Selectznz(result[number](), uint64(secret[0]&1), at[number](32), at[number](64))
		p256Pick(result[number](), &table[0], 32, 32, uint32(secret[1])%33)
	}},
	{"P-256: multiples of the generator", func() { scalarBaseMult(result[[3]number](), secret[:32]) }},
	// What the test has to find.
	{"leak: branch", func() { leakBranch(secret[0]) }},
	{"leak: load", func() { leakLoad(secret[0]) }},
	{"leak: store", func() { leakStore(secret[0]) }},
}

//go:noinline
func leakBranch(b byte) {
	if b&1 == 0 {
		out[0]++
	} else {
		out[0] += 3
	}
}

//go:noinline
func leakLoad(b byte) { out[0] = secret[b] }

//go:noinline
func leakStore(b byte) { out[b] = 1 }

// mark is called before each computation, and after the last of an operation.
//
//go:noinline
func mark() {}

func main() {
	times, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	rnd := rand.NewChaCha8([32]byte{1})
	for _, op := range operations {
		fmt.Println("operation:", op.name)
		op.do() // and the stack grows
		for i := range times {
			rnd.Read(secret[:])
			// Leaks of rare bits would not be seen: zeros and ones first.
			if i < 2 {
				copy(secret[:], slices.Repeat([]byte{byte(-i)}, len(secret)))
			}
			clear(out[:])
			// Who has run for 10 ms is asked to give way at a function's beginning, and
			// then takes another path there. No computation takes as long.
			runtime.Gosched()
			mark()
			op.do()
		}
		mark()
	}
}
