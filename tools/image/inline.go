package image

import "strings"

// Inlining makes Go code faster and larger. Of an image of 8.3 MB it is 0.8 MB, most
// of it in code that runs at start or when a connection opens. So it is turned off
// (-l) for the standard library and what the firmware is made of, and on again for
// the packages in which a handshake or a byte of a stream spends its instructions:
// ciphers, hashes, field arithmetic. The program's own packages, and other modules
// that it uses, are compiled as always.
//
// Patterns are those of "go help build" for -gcflags: the last one that matches a
// package counts.
var (
	compact = []string{
		"std",
		"gvisor.dev/gvisor/...",
		"github.com/google/btree",
		"golang.org/x/net/...",
		"golang.org/x/sys/...",
		"golang.org/x/time/...",
		"ingot.dev/certs",
		"ingot.dev/tlsio",
		"ingot.dev/net/...",
		"ingot.dev/firmware",
	}
	fast = []string{
		"crypto/internal/constanttime",
		"crypto/internal/fips140/aes/...",
		"crypto/internal/fips140/alias",
		"crypto/internal/fips140/bigmod",             // half of an ECDSA signature
		"crypto/internal/fips140/edwards25519/field", // X25519
		"crypto/internal/fips140/mlkem",
		"crypto/internal/fips140/nistec/fiat",
		"crypto/internal/fips140/sha256",
		"crypto/internal/fips140/sha3",   // a third of ML-KEM
		"crypto/internal/fips140/sha512", // in the nonces of ECDSA
		"crypto/internal/fips140/subtle",
		"crypto/internal/fips140deps/...",
		"encoding/binary", // in ChaCha20
		"golang.org/x/crypto/...",
		"vendor/golang.org/x/crypto/chacha20/...", // but not cryptobyte, which parses
		"vendor/golang.org/x/crypto/chacha20poly1305/...",
		"vendor/golang.org/x/crypto/internal/...",
		"internal/byteorder",
		"math/bits",
		"ingot.dev/net/link",

		// What every packet calls some hundred times, a few instructions each: buffers,
		// counters, locks. 12 KB, for a tenth of a small message's instructions and
		// 6 % of a stream's; the rest of gVisor would be another 12 %, for 160 KB.
		gvisor + "/pkg/atomicbitops",
		gvisor + "/pkg/buffer",
		gvisor + "/pkg/refs",
		gvisor + "/pkg/sync",
		gvisor + "/pkg/tcpip",
		gvisor + "/pkg/tcpip/seqnum",
		"internal/runtime/atomic",
		"internal/sync",
		"sync",
		"sync/atomic",
	}
)

// The names of source files, which tracebacks show, take 40 KB. For those of other
// modules -trimpath puts the module's path and version before each; of the one that has
// the most files, "gvisor" is enough.
const shortName = "gvisor"

// gcflags returns the compiler's flags. longDir is where gVisor is, empty if the program
// doesn't have it.
func gcflags(longDir string) []string {
	short := ""                                               // for gVisor's packages
	if longDir != "" && !strings.ContainsAny(longDir, "';") { // what -trimpath can't say
		short = " '-trimpath=" + longDir + "=>" + shortName + "'"
	}
	var flags []string
	add := func(pattern, inlining string) {
		if strings.HasPrefix(pattern, gvisor+"/") {
			inlining += short
		}
		flags = append(flags, "-gcflags="+pattern+"="+inlining)
	}
	for _, p := range compact {
		add(p, "-l")
	}
	for _, p := range fast {
		add(p, "")
	}
	return flags
}
