package container

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"math/big"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// A PPK file, as appendix C of PuTTY's manual documents it: lines "Name: value" in a
// fixed order, and two blocks of Base64, the public key as SSH sends it and the numbers
// that only the private key has. The private block may be encrypted; a MAC over all of
// the file stands at its end.
type ppk struct {
	version            int
	algorithm, comment string
	encryption         string
	public, private    []byte
	kdf                string // version 3, encrypted
	memory, passes     uint32 // KiB and rounds of Argon2
	threads            uint8
	salt, mac          []byte
}

const (
	ppkBegin = "PuTTY-User-Key-File-"
	ppkFix   = "convert it: puttygen KEY.ppk -O private-openssh -o KEY.pem"

	// maxArgon2Work bounds memory times passes, in KiB: some seconds. puttygen takes
	// 8 MiB and as many passes as fit into a tenth of a second.
	maxArgon2Work = 8 << 20
)

func readPPK(data []byte, password string, found *Contents) *Error {
	key, err := parsePPK(data)
	if err != nil {
		return err
	}
	if err := key.open(password); err != nil {
		return err
	}
	return key.add(found)
}

// ppkLines takes a file apart from the top.
type ppkLines struct{ rest []byte }

func (l *ppkLines) line() string {
	line, rest, _ := bytes.Cut(l.rest, []byte("\n"))
	l.rest = rest
	return string(bytes.TrimSuffix(line, []byte("\r")))
}

func (l *ppkLines) field(name string) (string, *Error) {
	if value, ok := strings.CutPrefix(l.line(), name+": "); ok {
		return value, nil
	}
	return "", failure(ErrSyntax, fmt.Sprintf("the line %q is missing or not in its place", name), "", nil)
}

// block reads a number of lines, and as many of Base64.
func (l *ppkLines) block(name string) ([]byte, *Error) {
	n, err := l.number(name, maxKeySize/48)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for range n {
		text.WriteString(l.line())
	}
	data, cause := base64.StdEncoding.DecodeString(text.String())
	if cause != nil {
		return nil, failure(ErrSyntax, fmt.Sprintf("what follows %q is cut short or not Base64", name), "", cause)
	}
	if len(data) > maxKeySize {
		return nil, failure(ErrTooLarge, fmt.Sprintf("a key of %d bytes", len(data)), "", nil)
	}
	return data, nil
}

func (l *ppkLines) number(name string, limit uint32) (uint32, *Error) {
	text, err := l.field(name)
	if err != nil {
		return 0, err
	}
	n, cause := strconv.ParseUint(text, 10, 32)
	switch {
	case cause != nil || n == 0:
		return 0, failure(ErrSyntax, fmt.Sprintf("%s is not a number", name), "", cause)
	case n > uint64(limit):
		return 0, failure(ErrTooLarge, fmt.Sprintf("%s is %d", name, n), fmt.Sprintf("the limit is %d", limit), nil)
	}
	return uint32(n), nil
}

func (l *ppkLines) hex(name string, value *[]byte) *Error {
	text, err := l.field(name)
	if err != nil {
		return err
	}
	var cause error
	if *value, cause = hex.DecodeString(text); cause != nil || len(*value) > 256 {
		return failure(ErrSyntax, name+" is not hexadecimal, or too long", "", cause)
	}
	return nil
}

func parsePPK(data []byte) (*ppk, *Error) {
	l := &ppkLines{bytes.TrimLeft(data, " \t\r\n\xef\xbb\xbf")}
	first, ok := strings.CutPrefix(l.line(), ppkBegin)
	version, algorithm, ok2 := strings.Cut(first, ": ")
	if !ok || !ok2 {
		return nil, failure(ErrSyntax, "it is not a private key of PuTTY", "its first line is PuTTY-User-Key-File-3: and the kind of key", nil)
	}
	key := &ppk{algorithm: algorithm}
	macSize := sha256.Size
	switch version {
	case "3":
		key.version = 3
	case "2":
		key.version, macSize = 2, sha1.Size
	default:
		return nil, failure(ErrUnsupported, fmt.Sprintf("it is version %.16q of PuTTY's format", version), "versions 2 and 3 are read; open and save it in a newer puttygen", nil)
	}
	var err *Error
	if key.encryption, err = l.field("Encryption"); err != nil {
		return nil, err
	}
	if key.comment, err = l.field("Comment"); err != nil {
		return nil, err
	}
	if key.public, err = l.block("Public-Lines"); err != nil {
		return nil, err
	}
	if key.version == 3 && key.encryption != "none" {
		if err := l.argon2(key); err != nil {
			return nil, err
		}
	}
	if key.private, err = l.block("Private-Lines"); err != nil {
		return nil, err
	}
	if err := l.hex("Private-MAC", &key.mac); err != nil {
		return nil, err
	}
	if len(key.mac) != macSize || len(bytes.TrimSpace(l.rest)) > 0 {
		return nil, failure(ErrSyntax, "its last line is not whole, or something follows it", "", nil)
	}
	return key, nil
}

// argon2 reads how the password is stretched.
func (l *ppkLines) argon2(key *ppk) (err *Error) {
	if key.kdf, err = l.field("Key-Derivation"); err != nil {
		return err
	}
	if key.memory, err = l.number("Argon2-Memory", MaxMemory>>10); err != nil {
		return err
	}
	if key.passes, err = l.number("Argon2-Passes", maxArgon2Work); err != nil {
		return err
	}
	threads, err := l.number("Argon2-Parallelism", 255)
	if err != nil {
		return err
	}
	key.threads = uint8(threads)
	if uint64(key.memory)*uint64(key.passes) > maxArgon2Work {
		return failure(ErrTooLarge, fmt.Sprintf("its password is to be stretched by %d passes over %d KiB", key.passes, key.memory),
			fmt.Sprintf("the limit of their product is %d", maxArgon2Work), nil)
	}
	return l.hex("Argon2-Salt", &key.salt)
}

// open checks the MAC, and decrypts the private block.
func (key *ppk) open(password string) *Error {
	var cipherKey, iv, macKey []byte
	encrypted := key.encryption == "aes256-cbc"
	switch {
	case !encrypted && key.encryption != "none":
		return failure(ErrUnsupported, fmt.Sprintf("it is encrypted by %.64q", key.encryption), ppkFix, nil)
	case !encrypted:
		password = ""
	case password == "":
		return failure(ErrPassword, "the private key is encrypted", "set Password or KeyPassword", nil)
	}
	newHash := sha256.New
	switch {
	case key.version == 2:
		newHash = sha1.New
		sum := sha1.Sum([]byte("putty-private-key-file-mac-key" + password))
		macKey = sum[:]
		// The key is made of two hashes of the password with a counter before it.
		for counter := range byte(2) {
			sum := sha1.Sum(append([]byte{0, 0, 0, counter}, password...))
			cipherKey = append(cipherKey, sum[:]...)
		}
		cipherKey, iv = cipherKey[:32], make([]byte, aes.BlockSize)
	case encrypted:
		stretch := map[string]func(password, salt []byte, passes, memory uint32, threads uint8, size uint32) []byte{
			"Argon2id": argon2.IDKey, "Argon2i": argon2.Key,
		}[key.kdf]
		if stretch == nil {
			return failure(ErrUnsupported, fmt.Sprintf("its password is stretched by %.64q", key.kdf), "Argon2id and Argon2i are known: puttygen KEY.ppk -o NEW.ppk --ppk-param kdf=argon2id", nil)
		}
		b := stretch([]byte(password), key.salt, key.passes, key.memory, key.threads, 32+aes.BlockSize+sha256.Size)
		cipherKey, iv, macKey = b[:32], b[32:32+aes.BlockSize], b[32+aes.BlockSize:]
	}
	if encrypted {
		if len(key.private) == 0 || len(key.private)%aes.BlockSize != 0 {
			return failure(ErrSyntax, "the private key is cut short", "", nil)
		}
		block, err := aes.NewCipher(cipherKey)
		if err != nil {
			return failure(ErrUnsupported, "the cipher can't be used", "", err)
		}
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(key.private, key.private)
	}
	if !hmac.Equal(key.sum(newHash, macKey), key.mac) {
		if encrypted {
			return failure(ErrPassword, "the password is wrong, or the file is damaged", "set Password or KeyPassword", nil)
		}
		return failure(ErrSyntax, "the file is damaged: its MAC doesn't fit", "", nil)
	}
	return nil
}

// sum is the MAC, over the decrypted private block.
func (key *ppk) sum(newHash func() hash.Hash, macKey []byte) []byte {
	mac := hmac.New(newHash, macKey)
	for _, part := range [][]byte{[]byte(key.algorithm), []byte(key.encryption), []byte(key.comment), key.public, key.private} {
		mac.Write(appendSSHString(nil, part))
	}
	return mac.Sum(nil)
}

// add makes a key of the two blocks. Random bytes may follow the numbers of the private
// one, up to the next block of the cipher.
func (key *ppk) add(found *Contents) *Error {
	broken := failure(ErrSyntax, "the private key is not that of its public key", "", nil)
	if name, _, ok := sshString(key.public); !ok || string(name) != key.algorithm {
		return failure(ErrSyntax, "the public key is not of the kind that the first line says", "", nil)
	}
	public, err := parseSSHPublicKey(key.public)
	if err != nil {
		return err
	}
	if err := checkPublic(public); err != nil {
		return err
	}
	switch public := public.(type) {
	case *rsa.PublicKey:
		d, rest, ok1 := sshString(key.private)
		p, rest, ok2 := sshString(rest)
		q, _, ok3 := sshString(rest) // and the inverse of q, which is computed here
		if !ok1 || !ok2 || !ok3 {
			return broken
		}
		private, err := rsaKey(public, new(big.Int).SetBytes(d), new(big.Int).SetBytes(p), new(big.Int).SetBytes(q))
		if err != nil {
			broken.Err = err
			return broken
		}
		return found.addKey(private)
	case *ecdsa.PublicKey:
		number, _, ok := sshString(key.private)
		size := (public.Curve.Params().BitSize + 7) / 8
		d := new(big.Int).SetBytes(number)
		if !ok || d.BitLen() > 8*size {
			return broken
		}
		private, err := ecdsa.ParseRawPrivateKey(public.Curve, d.FillBytes(make([]byte, size)))
		if err != nil || !private.PublicKey.Equal(public) {
			broken.Err = err
			return broken
		}
		return found.addKey(private)
	case ed25519.PublicKey:
		seed, _, ok := sshString(key.private)
		if !ok || len(seed) != ed25519.SeedSize {
			return broken
		}
		private := ed25519.NewKeyFromSeed(seed)
		if !bytes.Equal(private[ed25519.SeedSize:], public) {
			return broken
		}
		return found.addKey(private)
	}
	return broken
}
