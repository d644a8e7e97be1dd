package ed25519

import "testing"

func TestWycheproof(t *testing.T) {
	eachWycheproof(t, func(c *wycheproofCase, _ int) bool {
		return len(c.PublicKey) == PublicKeySize && Verify(PublicKey(c.PublicKey), c.Msg, c.Sig)
	})
}
