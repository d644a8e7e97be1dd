package ecdh

import (
	"bytes"
	"testing"
)

func TestWycheproof(t *testing.T) {
	eachWycheproof(t, func(c *wycheproofCase, _ int) bool {
		// They are numbers there, of any length.
		scalar := bytes.TrimLeft(c.Private, "\x00")
		scalar = append(make([]byte, max(0, 32-len(scalar))), scalar...)
		key, err := P256().NewPrivateKey(scalar)
		if err != nil {
			t.Errorf("case %d: private key: %v", c.ID, err)
			return false
		}
		// Points may be compressed, which NewPublicKey doesn't take; one case is.
		public, err := P256().NewPublicKey(c.Public)
		if err != nil {
			return false
		}
		shared, err := key.ECDH(public)
		return err == nil && bytes.Equal(shared, c.Shared)
	})
}
