package hmac

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

func TestWycheproof(t *testing.T) {
	eachWycheproof(t, func(c *wycheproofCase, tagSize int) bool {
		h := New(sha256.New, c.Key)
		h.Write(c.Msg)
		return bytes.Equal(h.Sum(nil)[:tagSize/8], c.Tag)
	})
}
