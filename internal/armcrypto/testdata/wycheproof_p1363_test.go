package ecdsa

import (
	"crypto/elliptic"
	"crypto/sha256"
	"math/big"
	"testing"
)

func TestWycheproof(t *testing.T) {
	eachWycheproof(t, func(c *wycheproofCase, _ int) bool {
		key, err := ParseUncompressedPublicKey(elliptic.P256(), c.PublicKey)
		if err != nil {
			t.Errorf("case %d: public key: %v", c.ID, err)
			return false
		}
		if len(c.Sig) != 64 {
			return false
		}
		sum := sha256.Sum256(c.Msg)
		return Verify(key, sum[:], new(big.Int).SetBytes(c.Sig[:32]), new(big.Int).SetBytes(c.Sig[32:]))
	})
}
