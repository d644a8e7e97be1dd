//go:build ignore && !go1.27

package nistec

import (
	"crypto/internal/fips140/nistec/fiat"
	"errors"
)

// P256OrdInverse returns 1/k modulo the order of the group, or 0 if k is a multiple of it.
// Both are numbers of 32 bytes, the most significant first.
func P256OrdInverse(k []byte) ([]byte, error) {
	if len(k) != 32 {
		return nil, errors.New("invalid scalar length")
	}
	s, err := new(p256OrdElement).SetBytes(k)
	if err != nil {
		return nil, err
	}
	fiat.P256OrdInverse((*[4]uint64)(s))
	return s.Bytes(), nil
}
