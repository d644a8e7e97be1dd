package main

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// keyDerivation compares HKDF (RFC 5869), for which images have a way of their own where
// SHA-256 and one block will do (tools/image/resting.go), with its definition in terms of
// HMAC, at all lengths that matter.
func keyDerivation() error {
	var data [300]byte
	for i := range data {
		data[i] = byte(i*5 + i>>3)
	}
	for name, h := range map[string]func() hash.Hash{"SHA-256": sha256.New, "SHA-224": sha256.New224, "SHA-384": sha512.New384} {
		mac := func(key []byte, parts ...[]byte) []byte {
			m := hmac.New(h, key)
			for _, p := range parts {
				m.Write(p)
			}
			return m.Sum(nil)
		}
		for n := range 140 { // of the key; a block has 64 or 128 bytes
			key, info := data[:n], data[n:n+n/2]
			got, err := hkdf.Extract(h, info, key)
			if want := mac(key, info); err != nil || !bytes.Equal(got, want) {
				return fmt.Errorf("%s: a secret of %d bytes, salted by %d, gives %x, %v; want %x", name, len(info), n, got, err, want)
			}
			// Of one block, and of two.
			first := mac(key, info, []byte{1})
			want := append(first, mac(key, first, info, []byte{2})...)
			for _, size := range []int{0, 1, 12, 16, 28, 31, 32, 33, 48, 56} {
				got, err := hkdf.Expand(h, key, string(info), size)
				if err != nil || !bytes.Equal(got, want[:size]) {
					return fmt.Errorf("%s: a key of %d bytes expands to %x, %v; want %x", name, n, got, err, want[:size])
				}
			}
		}
	}
	return nil
}
