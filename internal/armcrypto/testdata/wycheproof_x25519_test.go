package ecdh

import (
	"bytes"
	"testing"
)

func TestWycheproof(t *testing.T) {
	eachWycheproof(t, func(c *wycheproofCase, _ int) bool {
		key, err := X25519().NewPrivateKey(c.Private)
		if err != nil {
			return false
		}
		public, err := X25519().NewPublicKey(c.Public)
		if err != nil {
			return false
		}
		shared, err := key.ECDH(public)
		if err == nil && !bytes.Equal(shared, c.Shared) {
			t.Errorf("case %d: %x, want %x", c.ID, shared, c.Shared)
		}
		return err == nil
	})
}
