package container

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// jwk is a JSON Web Key, RFC 7517 section 4 with the members of RFC 7518 section 6
// and RFC 8037, or a set of them (RFC 7517 section 5).
type jwk struct {
	Kty  string   `json:"kty"`
	Crv  string   `json:"crv"`
	X    string   `json:"x"`
	Y    string   `json:"y"`
	N    string   `json:"n"`
	E    string   `json:"e"`
	D    string   `json:"d"`
	P    string   `json:"p"`
	Q    string   `json:"q"`
	Oth  []any    `json:"oth"`
	X5C  [][]byte `json:"x5c"` // standard Base64 here, unlike the rest
	Keys []jwk    `json:"keys"`
}

func readJWK(data []byte, found *Contents) *Error {
	var k jwk
	if err := json.Unmarshal(data, &k); err != nil {
		return failure(ErrSyntax, "it is not a JSON Web Key", "", err)
	}
	if k.Kty != "" || len(k.Keys) == 0 {
		return k.add(found)
	}
	for i := range k.Keys {
		if err := k.Keys[i].add(found); err != nil {
			err.Reason = fmt.Sprintf("keys[%d]: %s", i, err.Reason)
			return err
		}
	}
	return nil
}

func (k *jwk) add(found *Contents) *Error {
	var public crypto.PublicKey
	var private crypto.Signer
	var err *Error
	switch k.Kty {
	case "RSA":
		public, private, err = k.rsa()
	case "EC":
		public, private, err = k.ec()
	case "OKP":
		public, private, err = k.okp()
	case "":
		return failure(ErrSyntax, `the JSON Web Key has no member "kty"`, "", nil)
	default:
		return failure(ErrUnsupported, fmt.Sprintf("a JSON Web Key of type %q", k.Kty), "RSA, EC and OKP with Ed25519 are known", nil)
	}
	if err != nil {
		return err
	}
	for i, der := range k.X5C {
		if err := found.addCertificate(der); err != nil {
			return err
		}
		if cert := found.Certificates[len(found.Certificates)-1]; i == 0 && !samePublicKey(cert.PublicKey, public) {
			return failure(ErrSyntax, `the first certificate of "x5c" is for another key (RFC 7517 section 4.7)`, "", nil)
		}
	}
	switch {
	case private != nil:
		return found.addKey(private)
	case len(k.X5C) == 0:
		return found.addPublic(public)
	}
	return nil
}

func member(name, value string) ([]byte, *Error) {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) == 0 || len(b) > maxKeySize {
		return nil, failure(ErrSyntax, fmt.Sprintf("member %q is missing, too large, or not base64url without padding", name), "", err)
	}
	return b, nil
}

func (k *jwk) rsa() (crypto.PublicKey, crypto.Signer, *Error) {
	var n [5]*big.Int // n, e, d, p, q
	for i, m := range []struct{ name, value string }{{"n", k.N}, {"e", k.E}, {"d", k.D}, {"p", k.P}, {"q", k.Q}} {
		if i == 2 && k.D == "" {
			break
		}
		b, err := member(m.name, m.value)
		if err != nil {
			if i > 2 {
				err.Fix = "a private RSA key needs its primes"
			}
			return nil, nil, err
		}
		n[i] = new(big.Int).SetBytes(b)
	}
	if !n[1].IsInt64() || n[1].Int64() >= 1<<31 || n[1].Int64() < 3 {
		return nil, nil, failure(ErrUnsupported, `the exponent "e" is out of range`, "", nil)
	}
	public := &rsa.PublicKey{N: n[0], E: int(n[1].Int64())}
	if err := checkPublic(public); err != nil || k.D == "" {
		return public, nil, err
	}
	if len(k.Oth) > 0 {
		return nil, nil, failure(ErrUnsupported, "an RSA key of more than two primes", "", nil)
	}
	private, cause := rsaKey(public, n[2], n[3], n[4])
	if cause != nil {
		return nil, nil, failure(ErrSyntax, "the members of the RSA key don't fit together", "", cause)
	}
	return public, private, nil
}

var jwkCurves = map[string]elliptic.Curve{
	"P-256": elliptic.P256(),
	"P-384": elliptic.P384(),
	"P-521": elliptic.P521(),
}

func (k *jwk) ec() (crypto.PublicKey, crypto.Signer, *Error) {
	curve, ok := jwkCurves[k.Crv]
	if !ok {
		return nil, nil, failure(ErrUnsupported, fmt.Sprintf("the curve %q", k.Crv), "P-256, P-384 and P-521 are known", nil)
	}
	size := (curve.Params().BitSize + 7) / 8
	point := []byte{4} // uncompressed, SEC 1 section 2.3.3
	for _, m := range []struct{ name, value string }{{"x", k.X}, {"y", k.Y}} {
		b, err := member(m.name, m.value)
		if err != nil {
			return nil, nil, err
		}
		if len(b) != size {
			return nil, nil, failure(ErrSyntax, fmt.Sprintf("member %q has %d bytes in place of %d", m.name, len(b), size), "", nil)
		}
		point = append(point, b...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, nil, failure(ErrSyntax, "the members of the EC key are no point on its curve", "", err)
	}
	if k.D == "" {
		return public, nil, nil
	}
	d, fail := member("d", k.D)
	if fail != nil {
		return nil, nil, fail
	}
	private, err := ecdsa.ParseRawPrivateKey(curve, d)
	if err != nil || !private.PublicKey.Equal(public) {
		return nil, nil, failure(ErrSyntax, `member "d" is not the private key of "x" and "y"`, "", err)
	}
	return public, private, nil
}

func (k *jwk) okp() (crypto.PublicKey, crypto.Signer, *Error) {
	if k.Crv != "Ed25519" {
		return nil, nil, failure(ErrUnsupported, fmt.Sprintf("the curve %q", k.Crv), "of OKP, Ed25519 is known", nil)
	}
	x, err := member("x", k.X)
	if err != nil {
		return nil, nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, nil, failure(ErrSyntax, `member "x" has not 32 bytes`, "", nil)
	}
	if k.D == "" {
		return ed25519.PublicKey(x), nil, nil
	}
	d, err := member("d", k.D)
	if err != nil {
		return nil, nil, err
	}
	if len(d) != ed25519.SeedSize {
		return nil, nil, failure(ErrSyntax, `member "d" has not 32 bytes`, "", nil)
	}
	private := ed25519.NewKeyFromSeed(d)
	if !bytes.Equal(private.Public().(ed25519.PublicKey), x) {
		return nil, nil, failure(ErrSyntax, `member "d" is not the private key of "x"`, "", nil)
	}
	return ed25519.PublicKey(x), private, nil
}
