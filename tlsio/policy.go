package tlsio

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// Policy is a named set of versions, suites, groups and minimum strengths. A name's
// meaning never changes: better sets get names with later dates. These are all:
//
//	name                 versions     suites up to TLS 1.2                groups                   RSA   EC    signatures
//	20261122             1.2 to 1.3   ECDHE: AES-GCM, ChaCha20, AES-CBC   all of crypto/tls        2048  256   SHA-256 up
//	20261122-strict      1.2 to 1.3   ECDHE: AES-GCM, ChaCha20            all but P-521            3072  256   SHA-256 up
//	20261122-tls13       1.3          none                                all of crypto/tls        2048  256   SHA-256 up
//	20261122-pq          1.3          none                                hybrids with ML-KEM      3072  256   SHA-256 up
//	20261122-compatible  1.0 to 1.3   as 20261122, and RSA key exchange   X25519, P-256, 384, 521  1024  224   SHA-256 up
//
// RSA and EC are the least sizes in bits of the keys in the peer's chain. What signs
// certificates is judged for all but roots; SHA-1 is refused by crypto/x509 under
// every policy. Suites of TLS 1.3 are the three of crypto/tls, always.
//
// A program that names no policy gets DefaultPolicy's versions, suites and groups as
// the crypto/tls of its Go release has them, without the least sizes.
//
// MinimumVersion and MaximumVersion may narrow a policy's versions; CipherSuites and
// Groups, given after it, its suites and groups.
type Policy string

// DefaultPolicy is the policy for those who don't know which.
const DefaultPolicy Policy = "20261122"

type policyTerms struct {
	name     Policy
	min, max uint16
	suites   []uint16
	groups   []tls.CurveID
	rsa, ec  int
}

var aeadSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

var cbcSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
}

var rsaSuites = []uint16{
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

var (
	hybridGroups = []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}
	curves       = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
)

// policies is a function, so that programs without policies don't carry the table.
func policies() []policyTerms {
	all := slices.Concat(hybridGroups, curves)
	usual := slices.Concat(aeadSuites, cbcSuites)
	return []policyTerms{
		{"20261122", tls.VersionTLS12, tls.VersionTLS13, usual, all, 2048, 256},
		{"20261122-strict", tls.VersionTLS12, tls.VersionTLS13, aeadSuites, all[:len(all)-1], 3072, 256},
		{"20261122-tls13", tls.VersionTLS13, tls.VersionTLS13, nil, all, 2048, 256},
		{"20261122-pq", tls.VersionTLS13, tls.VersionTLS13, nil, hybridGroups, 3072, 256},
		{"20261122-compatible", tls.VersionTLS10, tls.VersionTLS13, slices.Concat(usual, rsaSuites), curves, 1024, 224},
	}
}

// Policies returns the names of all policies, the default first.
func Policies() []Policy {
	var names []Policy
	for _, p := range policies() {
		names = append(names, p.name)
	}
	return names
}

func (Policy) common() {}

func (p Policy) apply(b *builder) {
	for _, t := range policies() {
		if t.name == p {
			t.apply(b)
			return
		}
	}
	var names []string
	for _, n := range Policies() {
		names = append(names, string(n))
	}
	b.add("", string(p), "no policy has this name; use "+strings.Join(names, ", "))
}

func (p *policyTerms) apply(b *builder) {
	c := b.terms.config
	if c.CipherSuites != nil || c.CurvePreferences != nil {
		b.add("", string(p.name), "would undo what stands before it; give one Policy, and CipherSuites and Groups after it")
	}
	if b.options.MinimumVersion == "" {
		c.MinVersion = min(p.min, c.MaxVersion)
	}
	if b.options.MaximumVersion == "" {
		c.MaxVersion = p.max
	}
	if c.MinVersion < p.min || c.MaxVersion < p.min {
		b.add("", string(p.name), "begins with "+versionName(p.min)+"; MinimumVersion or MaximumVersion is below that")
	}
	c.CipherSuites = slices.Clone(p.suites)
	c.CurvePreferences = slices.Clone(p.groups)
	strength := *p
	b.terms.rules.checks = append(b.terms.rules.checks, func(_ *rules, s *State) error { return strength.check(s) })
}

func versionName(v uint16) string {
	s := State{ConnectionState: tls.ConnectionState{Version: v}}
	return s.VersionName()
}

// check keeps the chains whose keys and signatures are strong enough.
func (p *policyTerms) check(s *State) error {
	return keepChains(s, func(chain []*x509.Certificate) error {
		for _, cert := range chain {
			if err := p.weakness(cert); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *policyTerms) weakness(cert *x509.Certificate) error {
	bits, least := 0, 0
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		bits, least = key.N.BitLen(), p.rsa
	case *ecdsa.PublicKey:
		bits, least = key.Curve.Params().BitSize, p.ec
	case ed25519.PublicKey:
		return nil
	}
	if bits < least || least == 0 {
		return &WeakKeyError{cert, bits, least, p.name}
	}
	return nil
}

// WeakKeyError says that a key in the peer's chain is smaller than the policy allows.
type WeakKeyError struct {
	Certificate *x509.Certificate
	Bits, Least int
	Policy      Policy
}

func (*WeakKeyError) refusal() string {
	return "reissue the certificate with a larger key, or use another Policy"
}

func (e *WeakKeyError) Error() string {
	return fmt.Sprintf("the key of %s has %d bits; policy %s wants %d", quote(e.Certificate.Subject.String()), e.Bits, e.Policy, e.Least)
}

// CipherSuites are the suites to use up to TLS 1.2, by OpenSSL's or IANA's names.
// crypto/tls chooses among them in its own order. The suites of TLS 1.3 can't be
// chosen: naming all three is allowed, naming some is an error.
type CipherSuites []string

func (CipherSuites) common() {}

func (names CipherSuites) apply(b *builder) {
	var ids []uint16
	modern := 0
	for i, name := range names {
		c, ok := CipherByName(name)
		switch {
		case !ok:
			b.add(fmt.Sprintf("[%d]", i), quote(name), "crypto/tls has no such suite; use one of "+suiteNames())
		case c.Version == TLSv13:
			modern++
		case slices.Contains(ids, c.ID):
			b.add(fmt.Sprintf("[%d]", i), quote(name), "is there twice")
		default:
			ids = append(ids, c.ID)
		}
	}
	switch {
	case len(names) == 0:
		b.add("", nil, "name at least one suite, or leave CipherSuites out")
	case modern != 0 && modern != 3:
		b.add("", nil, "the suites of TLS 1.3 can't be chosen; name all three or none")
	case len(ids) > 0 && b.terms.config.MinVersion >= tls.VersionTLS13:
		b.add("", nil, "has suites of TLS 1.2, which MinimumVersion excludes; leave them out")
	case len(ids) == 0 && len(names) > 0 && b.terms.config.MinVersion < tls.VersionTLS13 && modern == 3:
		b.add("", nil, "has suites of TLS 1.3 only; set MinimumVersion to TLSv1.3, or name some of TLS 1.2")
	}
	if len(ids) > 0 {
		b.terms.config.CipherSuites = ids
	}
}

func suiteNames() string {
	var names []string
	for _, c := range cipherTable {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// Groups are the key exchange groups to use, by the names that GroupByName takes. It is a
// set: crypto/tls has its own order.
type Groups []string

func (Groups) common() {}

func (names Groups) apply(b *builder) {
	var ids []tls.CurveID
	for i, name := range names {
		id, ok := GroupByName(name)
		switch {
		case !ok:
			var all []string
			for _, g := range groupTable {
				all = append(all, g.name)
			}
			b.add(fmt.Sprintf("[%d]", i), quote(name), "crypto/tls has no such group; use one of "+strings.Join(all, ", "))
		case slices.Contains(ids, id):
			b.add(fmt.Sprintf("[%d]", i), quote(name), "is there twice")
		default:
			ids = append(ids, id)
		}
	}
	if len(names) == 0 {
		b.add("", nil, "name at least one group, or leave Groups out")
	}
	if len(ids) > 0 && b.terms.config.MaxVersion < tls.VersionTLS13 && !slices.ContainsFunc(ids, func(id tls.CurveID) bool { return slices.Contains(curves, id) }) {
		b.add("", nil, "has only groups of TLS 1.3, which MaximumVersion excludes")
	}
	b.terms.config.CurvePreferences = ids
}

// MinDHSize is the size in bits of the smallest finite-field Diffie-Hellman group
// that a client accepts, 1 to 16384. crypto/tls never negotiates such groups, so that
// every value is kept; it is there for programs that come from Node or IoT.js.
type MinDHSize int

func (MinDHSize) common() {}

func (n MinDHSize) apply(b *builder) {
	if b.terms.server {
		b.add("", int(n), "MinDHSize is for clients; leave it out")
	}
	if n < 1 || n > 16384 {
		b.add("", int(n), "use 1 to 16384")
	}
}
