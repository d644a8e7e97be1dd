package rawtls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// protector appends the record with the number seq to dst, encrypted.
type protector func(dst []byte, seq uint64, r Record) ([]byte, error)

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// expandLabel is HKDF-Expand-Label with an empty context, RFC 8446 section 7.1.
func expandLabel(h func() hash.Hash, secret []byte, label string, n int) ([]byte, error) {
	label = "tls13 " + label
	info := append([]byte{byte(n >> 8), byte(n), byte(len(label))}, label...)
	return hkdf.Expand(h, secret, string(append(info, 0)), n)
}

// modern is the protection of TLS 1.3, RFC 8446 section 5.2.
func modern(suite uint16, secret []byte) (protector, error) {
	h, size, newAEAD := sha256.New, 16, newGCM
	switch suite {
	case tls.TLS_AES_128_GCM_SHA256:
	case tls.TLS_AES_256_GCM_SHA384:
		h, size = sha512.New384, 32
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		size, newAEAD = 32, chacha20poly1305.New
	default:
		return nil, fmt.Errorf("rawtls: unknown suite %#04x", suite)
	}
	key, err := expandLabel(h, secret, "key", size)
	if err != nil {
		return nil, err
	}
	iv, err := expandLabel(h, secret, "iv", 12)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return func(dst []byte, seq uint64, r Record) ([]byte, error) {
		inner := append(append([]byte(nil), r.Data...), r.Type)
		inner = append(inner, make([]byte, r.Padding)...)
		n := len(inner) + aead.Overhead()
		header := []byte{TypeApplication, 3, 3, byte(n >> 8), byte(n)}
		dst = append(dst, header...)
		return aead.Seal(dst, nonce(iv, seq), inner, header), nil
	}, nil
}

// nonce is iv with seq laid over its end.
func nonce(iv []byte, seq uint64) []byte {
	n := append([]byte(nil), iv...)
	tail := n[len(n)-8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^seq)
	return n
}

// prf is TLS 1.2's P_SHA256, RFC 5246 section 5.
func prf(secret []byte, seed []byte, n int) []byte {
	mac := func(parts ...[]byte) []byte {
		m := hmac.New(sha256.New, secret)
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	var out []byte
	for a := mac(seed); len(out) < n; a = mac(a) {
		out = append(out, mac(a, seed)...)
	}
	return out[:n]
}

// classic is the protection of TLS 1.2, RFC 5246 section 6.2.3 and RFC 5288.
func classic(version, suite uint16, master, clientRandom, serverRandom []byte, client bool) (protector, error) {
	if version != tls.VersionTLS12 {
		return nil, fmt.Errorf("rawtls: can't do %s", tls.VersionName(version))
	}
	macSize, ivSize := 0, 4
	switch suite {
	case tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:
	case tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:
		macSize, ivSize = sha1.Size, 0
	default:
		return nil, fmt.Errorf("rawtls: can't do %s", tls.CipherSuiteName(suite))
	}
	seed := append([]byte("key expansion"), serverRandom...)
	block := prf(master, append(seed, clientRandom...), 2*(macSize+16+ivSize))
	// Of each kind, the client's comes first.
	mine := func(size int) []byte {
		both := block[:2*size]
		block = block[2*size:]
		if client {
			return both[:size]
		}
		return both[size:]
	}
	macKey, key, iv := mine(macSize), mine(16), mine(ivSize)
	if macSize > 0 {
		return cbc(macKey, key)
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return func(dst []byte, seq uint64, r Record) ([]byte, error) {
		if r.Padding > 0 {
			return nil, fmt.Errorf("rawtls: TLS 1.2 has no padding for AES-GCM")
		}
		explicit := binary.BigEndian.AppendUint64(nil, seq)
		n := len(explicit) + len(r.Data) + aead.Overhead()
		dst = append(dst, r.Type, 3, 3, byte(n>>8), byte(n))
		dst = append(dst, explicit...)
		return aead.Seal(dst, append(append([]byte(nil), iv...), explicit...), r.Data, pseudoHeader(seq, r)), nil
	}, nil
}

// pseudoHeader is what a record's MAC covers besides its data.
func pseudoHeader(seq uint64, r Record) []byte {
	return append(binary.BigEndian.AppendUint64(nil, seq), r.Type, 3, 3, byte(len(r.Data)>>8), byte(len(r.Data)))
}

// cbc is AES-CBC with HMAC-SHA-1, MAC first.
func cbc(macKey, key []byte) (protector, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return func(dst []byte, seq uint64, r Record) ([]byte, error) {
		if r.Padding > 0 {
			return nil, fmt.Errorf("rawtls: more padding than needed is for TLS 1.3")
		}
		mac := hmac.New(sha1.New, macKey)
		mac.Write(pseudoHeader(seq, r))
		mac.Write(r.Data)
		plain := mac.Sum(append([]byte(nil), r.Data...))
		pad := aes.BlockSize - len(plain)%aes.BlockSize
		for range pad {
			plain = append(plain, byte(pad-1))
		}
		iv := make([]byte, aes.BlockSize)
		rand.Read(iv)
		n := len(iv) + len(plain)
		dst = append(dst, r.Type, 3, 3, byte(n>>8), byte(n))
		dst = append(dst, iv...)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
		return append(dst, plain...), nil
	}, nil
}
