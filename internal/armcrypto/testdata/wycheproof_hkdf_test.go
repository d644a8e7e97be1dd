package hkdf

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

func TestWycheproof(t *testing.T) {
	eachWycheproof(t, func(c *wycheproofCase, _ int) bool {
		okm, err := Key(sha256.New, c.IKM, c.Salt, string(c.Info), c.Size)
		return err == nil && bytes.Equal(okm, c.OKM)
	})
}
