package certificate

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"ingot.dev/certs/container"
)

// Fingerprint is the MD5 of the certificate, as "bc:2a:72:...". For a key without
// certificate it is that of the public key in SSH's form (RFC 4253 section 6.6), as
// ssh-keygen -l -E md5 shows it.
func (c *Certificate) Fingerprint() string {
	return c.digest(c.hashed(), func(b []byte) []byte { s := md5.Sum(b); return s[:] })
}

// FingerprintSHA1 is Fingerprint with SHA-1.
func (c *Certificate) FingerprintSHA1() string {
	return c.digest(c.hashed(), func(b []byte) []byte { s := sha1.Sum(b); return s[:] })
}

// FingerprintSHA256 is Fingerprint with SHA-256.
func (c *Certificate) FingerprintSHA256() string {
	return c.digest(c.hashed(), func(b []byte) []byte { s := sha256.Sum256(b); return s[:] })
}

// ThumbprintMD5 is the MD5 of the certificate in DER, in the form of Fingerprint;
// "" if there is no certificate.
func (c *Certificate) ThumbprintMD5() string {
	if c.leaf == nil {
		return ""
	}
	return c.Fingerprint()
}

// ThumbprintSHA1 is ThumbprintMD5 with SHA-1.
func (c *Certificate) ThumbprintSHA1() string {
	if c.leaf == nil {
		return ""
	}
	return c.FingerprintSHA1()
}

// ThumbprintSHA256 is ThumbprintMD5 with SHA-256.
func (c *Certificate) ThumbprintSHA256() string {
	if c.leaf == nil {
		return ""
	}
	return c.FingerprintSHA256()
}

// hashed is what fingerprints are of; nil for kinds of keys that SSH doesn't know.
func (c *Certificate) hashed() []byte {
	if c.leaf != nil {
		return c.leaf.Raw
	}
	return container.MarshalSSHPublicKey(c.public)
}

func (c *Certificate) digest(data []byte, sum func([]byte) []byte) string {
	if data == nil {
		return ""
	}
	const digits = "0123456789abcdef"
	var s []byte
	for i, b := range sum(data) {
		if i > 0 {
			s = append(s, ':')
		}
		s = append(s, digits[b>>4], digits[b&15])
	}
	return string(s)
}

// parseThumbprint reads a thumbprint with or without separators.
func parseThumbprint(s string) ([]byte, bool) {
	s = strings.Map(func(r rune) rune {
		if r == ':' || r == ' ' || r == '-' {
			return -1
		}
		return r
	}, s)
	b, err := hex.DecodeString(s)
	return b, err == nil && (len(b) == md5.Size || len(b) == sha1.Size || len(b) == sha256.Size)
}

// hasThumbprint compares with the digest whose length b has.
func (c *Certificate) hasThumbprint(b []byte) bool {
	if c.leaf == nil {
		return false
	}
	want := c.digest(b, func(b []byte) []byte { return b })
	return want == c.ThumbprintMD5() || want == c.ThumbprintSHA1() || want == c.ThumbprintSHA256()
}
