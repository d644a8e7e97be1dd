package ecdsa

import (
	"crypto/elliptic"
	"crypto/sha256"
	"testing"
)

func TestWycheproof(t *testing.T) {
	eachWycheproof(t, func(c *wycheproofCase, _ int) bool {
		key, err := ParseUncompressedPublicKey(elliptic.P256(), c.PublicKey)
		if err != nil {
			t.Errorf("case %d: public key: %v", c.ID, err)
			return false
		}
		sum := sha256.Sum256(c.Msg)
		return VerifyASN1(key, sum[:], c.Sig)
	})
}
