package container

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// A JKS file, as the JDK's sun.security.provider.JavaKeyStore documents it: magic,
// version, number of entries; each entry has a kind, an alias, a date, and a key
// with its chain or a certificate. All numbers are big-endian. At its end stands a
// SHA-1 of the password, a fixed phrase and all before.
var (
	jksMagic   = []byte{0xfe, 0xed, 0xfe, 0xed}
	jceksMagic = []byte{0xce, 0xce, 0xce, 0xce}
)

const (
	jksKeyEntry         = 1
	jksCertificateEntry = 2
	jksPhrase           = "Mighty Aphrodite"
)

// oidJKSKey is the algorithm that protects its private keys.
var oidJKSKey = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}

// jksReader reads big-endian numbers; after the end of its bytes, zeros.
type jksReader struct {
	data   []byte
	broken bool
}

func (r *jksReader) take(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.broken = true
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *jksReader) number(size int) (n uint64) {
	for _, b := range r.take(uint64(size)) {
		n = n<<8 | uint64(b)
	}
	return n
}

// bytes reads a size of so many bytes, and then as many bytes.
func (r *jksReader) bytes(size int) []byte { return r.take(r.number(size)) }

func readJKS(data []byte, password, keyPassword string, found *Contents) *Error {
	broken := failure(ErrSyntax, "it is not a Java key store", "", nil)
	if len(data) < 12+sha1.Size || string(data[:4]) != string(jksMagic) {
		if len(data) > 4 && string(data[:4]) == string(jceksMagic) {
			return failure(ErrUnsupported, "it is a JCEKS key store", "convert it: keytool -importkeystore -srcstoretype JCEKS -deststoretype PKCS12", nil)
		}
		if sniffDER(data) == PKCS12 {
			broken.Fix = "it is PKCS#12, which keytool writes by default: open it as that"
		}
		return broken
	}
	content, sum := data[:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	h := sha1.New()
	h.Write(utf16BE(password))
	h.Write([]byte(jksPhrase))
	h.Write(content)
	if !hmac.Equal(h.Sum(nil), sum) {
		return failure(ErrPassword, "the password is wrong, or the file is damaged", "set Password", nil)
	}
	r := &jksReader{data: content[4:]}
	version, count := r.number(4), r.number(4)
	if version != 1 && version != 2 {
		return broken
	}
	certificate := func() *Error {
		if version == 2 {
			if typ := r.bytes(2); string(typ) != "X.509" && !r.broken {
				return failure(ErrUnsupported, fmt.Sprintf("a certificate of type %.64q", typ), "", nil)
			}
		}
		der := r.bytes(4)
		if r.broken {
			return broken
		}
		return found.addCertificate(der)
	}
	for range count {
		kind := r.number(4)
		r.bytes(2) // alias
		r.take(8)  // date
		switch kind {
		case jksKeyEntry:
			der, err := decryptJKSKey(r.bytes(4), keyPassword)
			if err != nil {
				return err
			}
			if err := found.addKeyDER(der); err != nil {
				return err
			}
			for n := r.number(4); n > 0; n-- {
				if err := certificate(); err != nil {
					return err
				}
			}
		case jksCertificateEntry:
			if err := certificate(); err != nil {
				return err
			}
		default:
			return broken
		}
	}
	if r.broken || len(r.data) > 0 {
		return broken
	}
	return nil
}

// decryptJKSKey undoes the JDK's sun.security.provider.KeyProtector: the key is
// XORed with a chain of SHA-1 over password and salt, and followed by a check.
func decryptJKSKey(der []byte, password string) ([]byte, *Error) {
	var info encryptedKey
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 ||
		!info.Algorithm.Algorithm.Equal(oidJKSKey) || len(info.Data) < 2*sha1.Size {
		return nil, failure(ErrSyntax, "a private key of the Java key store is broken", "", err)
	}
	secret := utf16BE(password)
	link, cipher, check := info.Data[:sha1.Size], info.Data[sha1.Size:len(info.Data)-sha1.Size], info.Data[len(info.Data)-sha1.Size:]
	plain := make([]byte, len(cipher))
	for i := 0; i < len(cipher); i += sha1.Size {
		sum := sha1.Sum(append(secret[:len(secret):len(secret)], link...))
		link = sum[:]
		end := min(i+sha1.Size, len(cipher))
		subtle.XORBytes(plain[i:end], cipher[i:end], link)
	}
	sum := sha1.Sum(append(secret[:len(secret):len(secret)], plain...))
	if !hmac.Equal(sum[:], check) {
		return nil, failure(ErrPassword, "a private key has another password", "set KeyPassword", nil)
	}
	return plain, nil
}

func utf16BE(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return b
}
