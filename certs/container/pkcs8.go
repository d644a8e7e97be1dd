package container

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"

	"golang.org/x/crypto/scrypt"
)

// encryptedKey is EncryptedPrivateKeyInfo, RFC 5958 section 3.
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 is PBES2-params, RFC 8018 appendix A.4.
type pbes2 struct {
	KDF, Cipher pkix.AlgorithmIdentifier
}

// pbkdf2Params is PBKDF2-params, RFC 8018 appendix A.2.
type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// scryptParams is scrypt-params, RFC 7914 section 7.
type scryptParams struct {
	Salt                      []byte
	Cost, BlockSize, Parallel int
	KeyLength                 int `asn1:"optional"`
}

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"
)

var pbkdf2Hashes = map[string]func() hash.Hash{
	"":                    sha1.New, // the default
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

var pbes2Ciphers = map[string]struct {
	keyLength int
	new       func(key []byte) (cipher.Block, error)
}{
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
}

const pkcs8Fix = "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE"

// decryptPKCS8 opens a private key in PKCS#8 form that PBES2 with PBKDF2 or scrypt
// and a CBC cipher protects, which is what OpenSSL, GnuTLS, Java and Go programs write.
func decryptPKCS8(der []byte, password string) ([]byte, *Error) {
	var info encryptedKey
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil, failure(ErrSyntax, "an encrypted private key is broken", "", err)
	}
	if oid := info.Algorithm.Algorithm.String(); oid != oidPBES2 {
		return nil, failure(ErrUnsupported, "a private key is encrypted by the algorithm "+oid, pkcs8Fix, nil)
	}
	var params pbes2
	var iv []byte
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, failure(ErrSyntax, "an encrypted private key has broken parameters", "", err)
	}
	scheme, ok := pbes2Ciphers[params.Cipher.Algorithm.String()]
	if !ok {
		return nil, failure(ErrUnsupported, "a private key is encrypted by the cipher "+params.Cipher.Algorithm.String(), pkcs8Fix, nil)
	}
	key, fail := stretch(params.KDF, password, scheme.keyLength)
	if fail != nil {
		return nil, fail
	}
	block, err := scheme.new(key)
	if err != nil {
		return nil, failure(ErrUnsupported, "the cipher can't be used", "", err)
	}
	size := block.BlockSize()
	if _, err := asn1.Unmarshal(params.Cipher.Parameters.FullBytes, &iv); err != nil || len(iv) != size {
		return nil, failure(ErrSyntax, "an encrypted private key has broken parameters", "", err)
	}
	if len(info.Data) == 0 || len(info.Data)%size != 0 {
		return nil, failure(ErrSyntax, "an encrypted private key is cut short", "", nil)
	}
	plain := make([]byte, len(info.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, info.Data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > size {
		return nil, failure(ErrPassword, "the private key can't be decrypted", "set Password or KeyPassword", nil)
	}
	return plain[:len(plain)-pad], nil
}

// stretch makes a cipher's key of a password.
func stretch(kdf pkix.AlgorithmIdentifier, password string, size int) ([]byte, *Error) {
	broken := func(err error) ([]byte, *Error) {
		return nil, failure(ErrSyntax, "an encrypted private key has broken parameters", "", err)
	}
	wrongSize := func(n int) ([]byte, *Error) {
		return nil, failure(ErrSyntax, fmt.Sprintf("a private key is encrypted with a key of %d bytes, which its cipher doesn't have", n), "", nil)
	}
	var key []byte
	var err error
	switch oid := kdf.Algorithm.String(); oid {
	case oidPBKDF2:
		var params pbkdf2Params
		if _, err := asn1.Unmarshal(kdf.Parameters.FullBytes, &params); err != nil {
			return broken(err)
		}
		newHash, ok := pbkdf2Hashes[params.PRF.Algorithm.String()]
		if !ok {
			return nil, failure(ErrUnsupported, "a private key's password is stretched with the function "+params.PRF.Algorithm.String(), pkcs8Fix, nil)
		}
		if err := checkIterations(params.Iterations); err != nil {
			return nil, err
		}
		if params.KeyLength != 0 && params.KeyLength != size {
			return wrongSize(params.KeyLength)
		}
		key, err = pbkdf2.Key(newHash, password, params.Salt, params.Iterations, size)
	case oidScrypt:
		var params scryptParams
		if _, err := asn1.Unmarshal(kdf.Parameters.FullBytes, &params); err != nil {
			return broken(err)
		}
		if err := params.check(); err != nil {
			return nil, err
		}
		if params.KeyLength != 0 && params.KeyLength != size {
			return wrongSize(params.KeyLength)
		}
		key, err = scrypt.Key([]byte(password), params.Salt, params.Cost, params.BlockSize, params.Parallel, size)
	default:
		return nil, failure(ErrUnsupported, "a private key's password is stretched by the algorithm "+oid, pkcs8Fix, nil)
	}
	if err != nil {
		return nil, failure(ErrSyntax, "the key can't be derived with the parameters in the file", "", err)
	}
	return key, nil
}

// check bounds scrypt's memory, 128 bytes times cost times block size (RFC 7914 section
// 2), and how often it goes over it.
func (p *scryptParams) check() *Error {
	const maxParallel = 16
	const blocks = MaxMemory / 128
	if p.Cost < 2 || p.BlockSize < 1 || p.Parallel < 1 {
		return failure(ErrSyntax, "an encrypted private key has broken parameters", "", nil)
	}
	if p.Parallel > maxParallel || p.BlockSize > blocks || p.Cost > blocks/p.BlockSize {
		return failure(ErrTooLarge, fmt.Sprintf("its password is to be stretched by scrypt with N=%d, r=%d, p=%d", p.Cost, p.BlockSize, p.Parallel),
			fmt.Sprintf("the limits are %d MiB and p=%d", MaxMemory>>20, maxParallel), nil)
	}
	return nil
}

// checkIterations bounds the time that a file can make us spend on its password.
func checkIterations(n int) *Error {
	if n < 1 || n > MaxIterations {
		return failure(ErrTooLarge, fmt.Sprintf("its password is to be stretched %d times", n), fmt.Sprintf("the limit is %d", MaxIterations), nil)
	}
	return nil
}
