package bench

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Rate is how often something was done in how much of the guest's time.
type Rate struct {
	Name  string        `json:"name"`
	Ops   int           `json:"ops"`
	Bytes int           `json:"bytes,omitempty"` // in one operation, for what works on data
	Time  time.Duration `json:"ns"`
}

// PerOp returns the time of one operation in nanoseconds.
func (r Rate) PerOp() float64 { return float64(r.Time) / float64(r.Ops) }

// PerByte returns the time for one byte in nanoseconds.
func (r Rate) PerByte() float64 { return r.PerOp() / float64(r.Bytes) }

// record is the largest payload of a TLS record.
const record = 16 << 10

// A primitive prepares what is to be measured. It returns one operation, and how
// many bytes that works on, if it does.
type primitive struct {
	name string
	make func() (op func() error, bytes int, err error)
}

// primitives are what TLS spends its time on.
var primitives = []primitive{
	{"chacha20-poly1305 seal", sealChaCha},
	{"chacha20-poly1305 open", openChaCha},
	{"aes-128-gcm seal", seal(newGCM)},
	{"aes-128-gcm open", open(newGCM)},
	{"sha256", func() (func() error, int, error) {
		buf := make([]byte, record)
		return func() error {
			sum := sha256.Sum256(buf)
			buf[0] = sum[0]
			return nil
		}, record, nil
	}},
	{"p256 sign", func() (func() error, int, error) {
		key, digest, err := signingKey()
		return func() error {
			_, err := ecdsa.SignASN1(rand.Reader, key, digest)
			return err
		}, 0, err
	}},
	{"p256 verify", func() (func() error, int, error) {
		key, digest, err := signingKey()
		if err != nil {
			return nil, 0, err
		}
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
		return func() error {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest, sig) {
				return errors.New("a good signature was refused")
			}
			return nil
		}, 0, err
	}},
	{"p256 keygen", keygen(ecdh.P256())},
	{"p256 ecdh", agree(ecdh.P256())},
	{"x25519 keygen", keygen(ecdh.X25519())},
	{"x25519 ecdh", agree(ecdh.X25519())},
	{"mlkem768 keygen", func() (func() error, int, error) {
		return func() error {
			_, err := mlkem.GenerateKey768()
			return err
		}, 0, nil
	}},
	{"mlkem768 encaps", func() (func() error, int, error) {
		key, err := mlkem.GenerateKey768()
		if err != nil {
			return nil, 0, err
		}
		wire := key.EncapsulationKey().Bytes()
		// As a server does: from the bytes that the client sent.
		return func() error {
			ek, err := mlkem.NewEncapsulationKey768(wire)
			if err != nil {
				return err
			}
			ek.Encapsulate()
			return nil
		}, 0, nil
	}},
	{"mlkem768 decaps", func() (func() error, int, error) {
		key, err := mlkem.GenerateKey768()
		if err != nil {
			return nil, 0, err
		}
		_, sealed := key.EncapsulationKey().Encapsulate()
		return func() error {
			_, err := key.Decapsulate(sealed)
			return err
		}, 0, nil
	}},
}

// Primitives returns the names that Measure knows.
func Primitives() []string {
	var names []string
	for _, p := range primitives {
		names = append(names, p.name)
	}
	return names
}

// Measure repeats an operation for at least the given time, and at least twice
// beside a first one that doesn't count.
func Measure(ctx context.Context, name string, atLeast time.Duration) (Rate, error) {
	i := slices.IndexFunc(primitives, func(p primitive) bool { return p.name == name })
	if i < 0 {
		return Rate{}, fmt.Errorf("rate of %q: use one of %s", name, strings.Join(Primitives(), ", "))
	}
	op, bytes, err := primitives[i].make()
	if err == nil {
		err = op()
	}
	if err != nil {
		return Rate{}, fmt.Errorf("%s: %w", name, err)
	}
	r := Rate{Name: name, Bytes: bytes}
	start := time.Now()
	for r.Ops < 2 || r.Time < atLeast {
		if err := op(); err != nil {
			return Rate{}, fmt.Errorf("%s: %w", name, err)
		}
		r.Ops++
		r.Time = time.Since(start)
		if ctx.Err() != nil {
			return Rate{}, context.Cause(ctx)
		}
	}
	return r, nil
}

// The standard library's ChaCha20-Poly1305 is the one that crypto/tls uses; that of
// golang.org/x/crypto is another copy. Beside crypto/tls only crypto/hpke leads to it, each of
// whose contexts counts its messages: what is sealed first is opened first.
func newChaCha() (*hpke.Sender, func() (*hpke.Recipient, error), error) {
	key, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		return nil, nil, err
	}
	enc, sender, err := hpke.NewSender(key.PublicKey(), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), nil)
	return sender, func() (*hpke.Recipient, error) {
		return hpke.NewRecipient(enc, key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), nil)
	}, err
}

func sealChaCha() (func() error, int, error) {
	sender, _, err := newChaCha()
	buf := make([]byte, record)
	return func() error {
		_, err := sender.Seal(header, buf)
		return err
	}, record, err
}

func openChaCha() (func() error, int, error) {
	sender, newRecipient, err := newChaCha()
	if err != nil {
		return nil, 0, err
	}
	// So many that what it takes to begin again, some 0.7 M instructions, doesn't count.
	sealed := make([][]byte, 256)
	for i := range sealed {
		if sealed[i], err = sender.Seal(header, make([]byte, record)); err != nil {
			return nil, 0, err
		}
	}
	var recipient *hpke.Recipient
	i := 0
	return func() error {
		if i %= len(sealed); i == 0 {
			if recipient, err = newRecipient(); err != nil {
				return err
			}
		}
		_, err := recipient.Open(header, sealed[i])
		i++
		return err
	}, record, nil
}

func newGCM() (cipher.AEAD, error) {
	b, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// header is the additional data of a TLS record: type, version, length.
var header = []byte{23, 3, 3, 0x40, 0}

func seal(newAEAD func() (cipher.AEAD, error)) func() (func() error, int, error) {
	return func() (func() error, int, error) {
		aead, err := newAEAD()
		if err != nil {
			return nil, 0, err
		}
		nonce := make([]byte, aead.NonceSize())
		buf := make([]byte, record, record+aead.Overhead())
		return func() error {
			aead.Seal(buf[:0], nonce, buf[:record], header)
			return nil
		}, record, nil
	}
}

func open(newAEAD func() (cipher.AEAD, error)) func() (func() error, int, error) {
	return func() (func() error, int, error) {
		aead, err := newAEAD()
		if err != nil {
			return nil, 0, err
		}
		nonce := make([]byte, aead.NonceSize())
		sealed := aead.Seal(nil, nonce, make([]byte, record), header)
		buf := make([]byte, 0, record)
		return func() error {
			_, err := aead.Open(buf, nonce, sealed, header)
			return err
		}, record, nil
	}
}

func signingKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	digest := sha256.Sum256([]byte("the transcript of a handshake"))
	return key, digest[:], err
}

func keygen(curve ecdh.Curve) func() (func() error, int, error) {
	return func() (func() error, int, error) {
		return func() error {
			key, err := curve.GenerateKey(rand.Reader)
			if err == nil {
				key.PublicKey() // computed here by some curves, when made by others
			}
			return err
		}, 0, nil
	}
}

func agree(curve ecdh.Curve) func() (func() error, int, error) {
	return func() (func() error, int, error) {
		a, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			return nil, 0, err
		}
		b, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			return nil, 0, err
		}
		peer := b.PublicKey()
		return func() error {
			_, err := a.ECDH(peer)
			return err
		}, 0, nil
	}
}
