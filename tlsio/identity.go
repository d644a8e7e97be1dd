package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
)

// Identity is what a server is for clients that name it by SNI (RFC 6066 section 3):
// its certificates, and rules of its own on clients.
type Identity struct {
	// Names are DNS names; "*.example.test" stands for all names with one label
	// more. The more exact name counts. The first names the Identity in State.
	Names []string
	// Certificate and Key are as TLSOptions.ServerCertificate and ServerKey. With
	// several, as one with RSA and one with ECDSA, the first that suits what the
	// client offers is sent.
	Certificate, Key [][]byte
	// GetCertificate is as TLSOptions.GetCertificate, for keys that are kept elsewhere,
	// and for what package certs's Store has: store.GetCertificate.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ApplicationLayerProtocol replaces that of TLSOptions; nil leaves it.
	ApplicationLayerProtocol []string

	// ClientAuth, CA and VerifyMode are as in TLSOptions, and their zero values
	// mean the same: nothing is taken from there. With may hold what judges clients:
	// Pins, CRLs and RootsFor.
	ClientAuth ClientAuth
	CA         [][]byte
	VerifyMode VerifyMode
	With       []Feature
}

// Identities lets a server be several. Each has rules and ticket keys of its own: a
// session with one is never resumed with another.
//
// Clients that send no name, or a name that is none's, are served by TLSOptions's own
// ServerCertificate under its own rules. If it has none, they are refused with
// unrecognized_name. So that nobody gets around an Identity's ClientAuth by leaving
// its name out, ServerCertificate must not be valid for that name unless it asks
// clients for as much. What GetCertificate returns can't be held against that.
type Identities struct {
	List []Identity
	// RefuseUnknown refuses clients that name none of List even if there is a
	// ServerCertificate, which is then for clients without SNI.
	RefuseUnknown bool
}

// identities is the compiled form.
type identities struct {
	byName  map[string]*identityTerms
	refuse  bool
	without *tls.Config // has no certificate: crypto/tls answers unrecognized_name
}

type identityTerms struct {
	*terms
	name string
}

func (Identities) certificates() {}

func (ids Identities) apply(b *builder) {
	if !b.terms.server {
		b.add("", nil, "Identities are for servers; leave them out")
		return
	}
	if len(ids.List) == 0 {
		b.add(".List", nil, "required: at least one Identity")
	}
	if b.terms.pick != nil {
		b.add("", nil, "give Identities once")
	}
	set := &identities{byName: map[string]*identityTerms{}, refuse: ids.RefuseUnknown}
	set.without = &tls.Config{Time: b.options.Now, SessionTicketsDisabled: true, MinVersion: tls.VersionTLS10}
	for i, id := range ids.List {
		set.add(b, i, id)
	}
	b.terms.pick = set.pick
	if b.terms.tickets == nil && !b.options.NoSessions {
		b.terms.useTickets(&ticketer{})
	}
}

// add compiles one Identity.
func (set *identities) add(b *builder, i int, id Identity) {
	prefix := fmt.Sprintf("%s.List[%d].", b.prefix, i)
	o := TLSOptions{
		MinimumVersion: b.options.MinimumVersion, MaximumVersion: b.options.MaximumVersion,
		MaximumFragmentLength: b.options.MaximumFragmentLength, HandshakeTimeout: b.options.HandshakeTimeout,
		Now: b.options.Now, VerifyPeer: b.options.VerifyPeer, NoSessions: b.options.NoSessions,
		KeyLog: b.options.KeyLog, Tap: b.options.Tap,
		ApplicationLayerProtocol: id.ApplicationLayerProtocol,
		ServerCertificate:        id.Certificate, ServerKey: id.Key, GetCertificate: id.GetCertificate,
		ClientAuth: id.ClientAuth, CA: id.CA, VerifyMode: id.VerifyMode,
	}
	if o.ApplicationLayerProtocol == nil {
		o.ApplicationLayerProtocol = b.options.ApplicationLayerProtocol
	}
	for _, f := range b.options.With {
		if _, ok := f.(common); ok {
			o.With = append(o.With, f)
		}
	}
	for j, f := range id.With {
		_, pins := f.(Pins)
		_, crls := f.(CRLs)
		if pins || crls || hasRoots(f) {
			o.With = append(o.With, f)
		} else {
			b.errs.add(fmt.Sprintf("%sWith[%d]", prefix, j), fmt.Sprintf("a %T", f), "use Pins, CRLs or RootsFor; the rest is for all identities and belongs to TLSOptions.With")
		}
	}
	var own optionErrors
	t := o.serverTerms(&own, prefix)
	for _, err := range own {
		if e, ok := err.(*OptionError); ok {
			e.Option = strings.NewReplacer(prefix+"ServerCertificate", prefix+"Certificate", prefix+"ServerKey", prefix+"Key").Replace(e.Option)
			e.Fix = strings.NewReplacer("ServerCertificate", "Certificate", "ServerKey", "Key").Replace(e.Fix)
		}
		*b.errs = append(*b.errs, err)
	}
	t.config.GetConfigForClient = nil
	if len(id.Names) == 0 {
		b.errs.add(prefix+"Names", nil, "required: at least one")
		return
	}
	compiled := &identityTerms{t, strings.ToLower(id.Names[0])}
	for j, name := range id.Names {
		option := fmt.Sprintf("%sNames[%d]", prefix, j)
		key := strings.ToLower(strings.TrimSuffix(name, "."))
		switch {
		case !validName(key, true):
			b.errs.add(option, quote(name), `use a DNS name, or one behind "*."`)
		case set.byName[key] != nil:
			b.errs.add(option, quote(name), "is taken by an Identity before")
		default:
			set.byName[key] = compiled
		}
		if stricter(&t.rules, &b.terms.rules) || t.rules.auth != ClientAuthNone && len(id.With) > judging(b.options.With) {
			for _, cert := range b.terms.certs {
				if cert.Leaf != nil && validFor(cert.Leaf, key) {
					b.errs.add(option, quote(name), "asks more of clients than TLSOptions does, whose ServerCertificate is valid for this name too: a client without SNI would get around it; "+
						"use another ServerCertificate, or the same ClientAuth, CA, VerifyMode, Pins and CRLs")
				}
			}
		}
	}
}

// common is what those features implement that hold for all identities of a server.
type common interface{ common() }

// validFor reports whether a certificate is valid for a name, or for one of those that
// a name behind "*." stands for.
func validFor(leaf *x509.Certificate, name string) bool {
	rest, wild := strings.CutPrefix(name, "*.")
	if !wild {
		return leaf.VerifyHostname(name) == nil
	}
	for _, of := range leaf.DNSNames {
		if _, above, ok := strings.Cut(strings.ToLower(of), "."); ok && above == rest {
			return true
		}
	}
	return false
}

// judging counts the Pins and CRLs among features.
func judging(with []Feature) (n int) {
	for _, f := range with {
		switch f.(type) {
		case Pins, CRLs:
			n++
		}
	}
	return n
}

// stricter reports whether a refuses clients that b lets in, as far as that can be
// told without them.
func stricter(a, b *rules) bool {
	rank := func(r *rules) int {
		switch r.auth {
		case ClientAuthRequest:
			return 1
		case ClientAuthRequire:
			return 2
		}
		return 0
	}
	verifies := func(r *rules) bool { return r.auth != ClientAuthNone && r.mode == VerifyRequired }
	differ := a.find != nil || b.find != nil || !a.roots.Equal(b.roots)
	return rank(a) > rank(b) || verifies(a) && (!verifies(b) || differ)
}

// pick is terms.pick.
func (set *identities) pick(t *terms, c *Conn, hello *tls.ClientHelloInfo) *tls.Config {
	id := set.find(hello.ServerName)
	if id == nil {
		if len(t.certs) == 0 && t.ask == nil || set.refuse && hello.ServerName != "" {
			return set.without
		}
		if c.alone {
			return c.adapt(t.config)
		}
		return nil
	}
	c.identity = id.name
	c.rules = c.override.override(&id.rules)
	if !c.alone && !id.own {
		if !id.config.SessionTicketsDisabled {
			id.freshen(t.tickets)
		}
		return id.config
	}
	config := c.adapt(id.config)
	if !config.SessionTicketsDisabled {
		keys, _ := t.tickets.at(t.rules.time(), -1, id.name)
		config.SetSessionTicketKeys(keys)
	}
	return config
}

// find returns the Identity of a name as SNI gives it.
func (set *identities) find(name string) *identityTerms {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if id := set.byName[name]; id != nil {
		return id
	}
	if _, rest, ok := strings.Cut(name, "."); ok {
		return set.byName["*."+rest]
	}
	return nil
}

// freshen gives id's config the keys of now, derived for id alone.
func (id *identityTerms) freshen(from *ticketer) {
	id.ticketMu.Lock()
	defer id.ticketMu.Unlock()
	if id.tickets != from { // another context's keys have another count
		id.tickets, id.ticketVersion = from, -1
	}
	if keys, version := from.at(id.rules.time(), id.ticketVersion, id.name); keys != nil {
		id.config.SetSessionTicketKeys(keys)
		id.ticketVersion = version
	}
}
