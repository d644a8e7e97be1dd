package container

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
)

const (
	sshRSA     = "ssh-rsa"             // RFC 4253 section 6.6
	sshECDSA   = "ecdsa-sha2-"         // RFC 5656 section 3.1
	sshEd25519 = "ssh-ed25519"         // RFC 8709 section 4
	ssh2Begin  = "---- BEGIN SSH2 PUB" // RFC 4716 section 3.2
)

var sshCurves = map[string]elliptic.Curve{
	"nistp256": elliptic.P256(),
	"nistp384": elliptic.P384(),
	"nistp521": elliptic.P521(),
}

func isSSH(text []byte) bool {
	for _, prefix := range []string{sshRSA + " ", sshECDSA, sshEd25519 + " ", "ssh-dss ", "sk-ssh-", "sk-ecdsa-", ssh2Begin} {
		if bytes.HasPrefix(text, []byte(prefix)) {
			return true
		}
	}
	// What is left when the Base64 of a line of authorized_keys was the store.
	typ, _, ok := sshString(text)
	return ok && len(typ) < 64 && (bytes.HasPrefix(typ, []byte("ssh-")) || bytes.HasPrefix(typ, []byte(sshECDSA)))
}

// readSSH reads a public key as one line of authorized_keys, without options; in
// the form of RFC 4716; or as it goes over the wire.
func readSSH(data []byte, found *Contents) *Error {
	blob := data
	text := strings.TrimSpace(string(data))
	var encoded string
	switch fields := strings.Fields(text); {
	case strings.HasPrefix(text, ssh2Begin):
		continued := false
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			header := continued || strings.Contains(line, ":") || strings.HasPrefix(line, "----")
			continued = header && strings.HasSuffix(line, `\`)
			if !header {
				encoded += line
			}
		}
	case len(fields) >= 2 && isSSH([]byte(text)) && data[0] != 0:
		encoded = fields[1]
	}
	if encoded != "" {
		var err error
		if blob, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return failure(ErrSyntax, "the public key is not Base64", "", err)
		}
	}
	key, err := parseSSHPublicKey(blob)
	if err != nil {
		return err
	}
	return found.addPublic(key)
}

func parseSSHPublicKey(blob []byte) (crypto.PublicKey, *Error) {
	broken := failure(ErrSyntax, "it is not a public key of SSH", `give a line of the form "ssh-ed25519 AAAA..."`, nil)
	typ, rest, ok := sshString(blob)
	if !ok {
		return nil, broken
	}
	switch name := string(typ); {
	case name == sshRSA:
		e, rest, ok1 := sshString(rest)
		n, rest, ok2 := sshString(rest)
		exponent, modulus := new(big.Int).SetBytes(e), new(big.Int).SetBytes(n)
		if !ok1 || !ok2 || len(rest) > 0 || exponent.BitLen() > 31 || exponent.Int64() < 3 || modulus.Sign() == 0 {
			return nil, broken
		}
		return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
	case strings.HasPrefix(name, sshECDSA):
		curveName, rest, ok1 := sshString(rest)
		point, rest, ok2 := sshString(rest)
		curve, ok := sshCurves[string(curveName)]
		if !ok1 || !ok2 || len(rest) > 0 || !ok || name != sshECDSA+string(curveName) {
			return nil, broken
		}
		key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
		if err != nil {
			return nil, failure(ErrSyntax, "its point is not on its curve", "", err)
		}
		return key, nil
	case name == sshEd25519:
		key, rest, ok := sshString(rest)
		if !ok || len(rest) > 0 || len(key) != ed25519.PublicKeySize {
			return nil, broken
		}
		return ed25519.PublicKey(bytes.Clone(key)), nil
	case strings.HasPrefix(name, "ssh-") || strings.HasPrefix(name, "sk-"):
		return nil, failure(ErrUnsupported, fmt.Sprintf("a public key of the kind %.64q", name), "ssh-rsa, ecdsa-sha2-nistp256, -384, -521 and ssh-ed25519 are known", nil)
	}
	return nil, broken
}

// MarshalSSHPublicKey gives a public key as SSH sends it over the wire (RFC 4253 section
// 6.6), which is what its fingerprints are of; nil for kinds that SSH doesn't have.
func MarshalSSHPublicKey(key crypto.PublicKey) []byte {
	switch key := key.(type) {
	case *rsa.PublicKey:
		b := appendSSHString(nil, []byte(sshRSA))
		b = appendSSHString(b, mpint(big.NewInt(int64(key.E))))
		return appendSSHString(b, mpint(key.N))
	case *ecdsa.PublicKey:
		for name, curve := range sshCurves {
			if curve == key.Curve {
				point, err := key.Bytes()
				if err != nil {
					return nil
				}
				b := appendSSHString(nil, []byte(sshECDSA+name))
				b = appendSSHString(b, []byte(name))
				return appendSSHString(b, point)
			}
		}
	case ed25519.PublicKey:
		return appendSSHString(appendSSHString(nil, []byte(sshEd25519)), key)
	}
	return nil
}

// sshString splits off a string, RFC 4251 section 5.
func sshString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

func appendSSHString(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// mpint is a positive number in two's complement.
func mpint(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		return append([]byte{0}, b...)
	}
	return b
}
