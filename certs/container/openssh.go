package container

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// openSSHMagic begins a private key in OpenSSH's form (PROTOCOL.key of its sources).
const openSSHMagic = "openssh-key-v1\x00"

// maxBcryptRounds bounds the time: ssh-keygen takes 16 or 24, and careful people 100;
// 100 take about a second.
const maxBcryptRounds = 512

const openSSHFix = "convert it: ssh-keygen -p -m PKCS8 -f FILE"

// addOpenSSH adds a private key in OpenSSH's own form, as ssh-keygen writes it.
func (c *Contents) addOpenSSH(block *pem.Block, password string) *Error {
	if len(block.Bytes) > maxKeySize {
		return failure(ErrTooLarge, fmt.Sprintf("a private key of %d bytes", len(block.Bytes)), "", nil)
	}
	encrypted, err := checkOpenSSH(block.Bytes)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
	var key any
	var cause error
	switch {
	case !encrypted:
		key, cause = ssh.ParseRawPrivateKey(text)
	case password == "":
		return failure(ErrPassword, "the private key is encrypted", "set Password or KeyPassword", nil)
	default:
		key, cause = ssh.ParseRawPrivateKeyWithPassphrase(text, []byte(password))
	}
	switch {
	case errors.Is(cause, x509.IncorrectPasswordError):
		return failure(ErrPassword, "the private key can't be decrypted", "set Password or KeyPassword", nil)
	case cause != nil:
		return failure(ErrSyntax, "a private key of OpenSSH in it is broken, or of a kind that isn't known here",
			"RSA, ECDSA on P-256 to P-521 and Ed25519 are known", cause)
	}
	if pointer, ok := key.(*ed25519.PrivateKey); ok {
		// Its two halves come from the file, and a wrong public half would give the
		// private one away with the first signatures.
		whole := ed25519.NewKeyFromSeed(pointer.Seed())
		if !bytes.Equal(whole, *pointer) {
			return failure(ErrSyntax, "the public half of the Ed25519 key isn't its private half's", "", nil)
		}
		key = whole
	}
	return c.addKey(key)
}

// checkOpenSSH looks at what stands before the key, in the clear: whether it is
// encrypted, and whether by what x/crypto/ssh knows at a cost that is acceptable.
func checkOpenSSH(data []byte) (encrypted bool, _ *Error) {
	rest, ok := bytes.CutPrefix(data, []byte(openSSHMagic))
	cipher, rest, ok1 := sshString(rest)
	kdf, rest, ok2 := sshString(rest)
	options, _, ok3 := sshString(rest)
	if !ok || !ok1 || !ok2 || !ok3 {
		return false, failure(ErrSyntax, "a private key of OpenSSH in it is broken", "", nil)
	}
	switch string(cipher) {
	case "none":
		return false, nil
	case "aes256-ctr", "aes256-cbc":
	default:
		return false, failure(ErrUnsupported, fmt.Sprintf("a private key of OpenSSH is encrypted by the cipher %.64q", cipher), openSSHFix, nil)
	}
	if string(kdf) != "bcrypt" {
		return false, failure(ErrUnsupported, fmt.Sprintf("a private key's password is stretched by %.64q", kdf), openSSHFix, nil)
	}
	_, rounds, ok := sshString(options) // the salt comes first
	if !ok || len(rounds) != 4 {
		return false, failure(ErrSyntax, "a private key of OpenSSH has broken parameters", "", nil)
	}
	if n := binary.BigEndian.Uint32(rounds); n < 1 || n > maxBcryptRounds {
		return false, failure(ErrTooLarge, fmt.Sprintf("its password is to be stretched %d times by bcrypt", n), fmt.Sprintf("the limit is %d", maxBcryptRounds), nil)
	}
	return true, nil
}
