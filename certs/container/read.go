package container

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// Limits on what is read. They bound the time and memory that a wrong or hostile
// file can cost.
const (
	MaxSize       = 1 << 20   // bytes of a file
	MaxEntries    = 256       // certificates and keys in a file
	MaxIterations = 1_000_000 // of a password's key derivation
	MaxMemory     = 128 << 20 // bytes that a password's key derivation takes
	maxRSABits    = 16384
)

// Format is how a file is written.
type Format int

// The formats. Public is PEM or DER without private keys: those are refused. BCFKS is
// recognized and refused.
const (
	Auto Format = iota // told from the content
	PEM
	DER
	Public
	PKCS12
	PKCS7
	JKS
	JWK
	SSHPublic
	PPK
	XML
	BCFKS
)

var formats = map[Format]struct {
	name string
	read func(data []byte, o *Options, found *Contents) *Error
}{
	Auto:   {"unknown format", nil},
	PEM:    {"PEM", func(data []byte, o *Options, found *Contents) *Error { return readPEM(data, o.keyPassword(), found) }},
	DER:    {"DER", func(data []byte, o *Options, found *Contents) *Error { return readDER(data, o.keyPassword(), found) }},
	Public: {"public key or certificate", func(data []byte, _ *Options, found *Contents) *Error { return readPublic(data, found) }},
	PKCS12: {"PKCS#12", func(data []byte, o *Options, found *Contents) *Error {
		return readPFX(data, o.Password, o.keyPassword(), found)
	}},
	PKCS7: {"PKCS#7", func(data []byte, _ *Options, found *Contents) *Error { return readP7B(data, found) }},
	JKS: {"JKS", func(data []byte, o *Options, found *Contents) *Error {
		return readJKS(data, o.Password, o.keyPassword(), found)
	}},
	JWK:       {"JWK", func(data []byte, _ *Options, found *Contents) *Error { return readJWK(data, found) }},
	SSHPublic: {"SSH public key", func(data []byte, _ *Options, found *Contents) *Error { return readSSH(data, found) }},
	PPK:       {"PPK", func(data []byte, o *Options, found *Contents) *Error { return readPPK(data, o.keyPassword(), found) }},
	XML:       {"XML", func(data []byte, _ *Options, found *Contents) *Error { return readXML(data, found) }},
	BCFKS:     {"BCFKS", refuseBCFKS},
}

// String returns the format's name.
func (f Format) String() string {
	if known, ok := formats[f]; ok {
		return known.name
	}
	return fmt.Sprintf("format %d", int(f))
}

// Options say how a file is to be read. The zero value reads whatever it is, without
// password.
type Options struct {
	// Format is what the file must be. Auto takes anything that is known.
	Format Format
	// Password opens the file, and what is encrypted in it.
	Password string
	// KeyPassword opens the private keys, where a format protects them on their own.
	// nil means Password's; new("") means none.
	KeyPassword *string
}

func (o *Options) keyPassword() string {
	if o.KeyPassword != nil {
		return *o.KeyPassword
	}
	return o.Password
}

// Read returns what the file data holds, of which data stays no part; at least one
// certificate or key. All its errors are [*Error]. A password that is wrong or missing
// is of kind [ErrPassword].
func Read(data []byte, o Options) (*Contents, error) {
	format := o.Format
	fail := func(err *Error) (*Contents, error) {
		err.Format = format
		return nil, err
	}
	if len(data) > MaxSize {
		return fail(failure(ErrTooLarge, fmt.Sprintf("the file is larger than %d bytes", MaxSize), "", nil))
	}
	data = UnwrapBase64(data)
	if format == Auto {
		if len(data) == 0 {
			return fail(failure(ErrSyntax, "the file is empty", "", nil))
		}
		if format = Sniff(data); format == Auto {
			return fail(failure(ErrSyntax, "the format isn't recognized", "", nil))
		}
	}
	kind, ok := formats[format]
	if !ok {
		return fail(failure(ErrUnsupported, "there is no such format", "use one of the constants", nil))
	}
	found := new(Contents)
	if err := kind.read(data, &o, found); err != nil {
		return fail(err)
	}
	if found.Len() == 0 {
		return fail(failure(ErrSyntax, "there is neither a certificate nor a key in it", "", nil))
	}
	return found, nil
}

func refuseBCFKS([]byte, *Options, *Contents) *Error {
	return failure(ErrUnsupported, "Bouncy Castle's key stores are not read",
		"convert it: keytool -importkeystore -srcstoretype BCFKS -deststoretype PKCS12, with Bouncy Castle as provider", nil)
}

// UnwrapBase64 returns what data is the Base64 of, or data if it is none. No other
// format that is read here is only made of Base64's characters.
func UnwrapBase64(data []byte) []byte {
	text := bytes.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == ' ' || r == '\t' {
			return -1
		}
		return r
	}, data)
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(decoded, text)
	if err != nil || n == 0 {
		return data
	}
	return decoded[:n]
}
