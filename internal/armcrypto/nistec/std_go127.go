//go:build ignore && go1.27

package nistec

import "crypto/internal/fips140/nistec/fiat"

// P256OrdInverse sets k to 1/k modulo the order of the group, or to 0 if it is 0. It must be
// less than the order, and has its least significant words first.
func P256OrdInverse(k *[4]uint64) { fiat.P256OrdInverse(k) }
