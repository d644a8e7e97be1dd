package chacha20poly1305

import (
	"bytes"
	"testing"
)

func TestWycheproof(t *testing.T) {
	eachWycheproof(t, func(c *wycheproofCase, _ int) bool {
		if len(c.IV) != NonceSize {
			return false // Seal and Open would panic
		}
		aead, err := New(c.Key)
		if err != nil {
			return false
		}
		whole := append(append([]byte{}, c.CT...), c.Tag...)
		sealed := aead.Seal(nil, c.IV, c.Msg, c.AAD)
		opened, err := aead.Open(nil, c.IV, whole, c.AAD)
		if (err == nil) != bytes.Equal(sealed, whole) || err == nil && !bytes.Equal(opened, c.Msg) {
			t.Errorf("case %d: sealed %x, opened %x, %v", c.ID, sealed, opened, err)
		}
		return err == nil
	})
}
