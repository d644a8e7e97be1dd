package certs

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"slices"
	"strings"
)

// DefaultIdentity is the name of the identity that answers clients who ask for
// no name or for one that no identity carries.
const DefaultIdentity = "default"

// A Store holds trust anchors and identities. It never changes after [Load],
// and any number of goroutines may use it.
type Store struct {
	report   *Report // its Anchors are those of files
	groups   map[string]*x509.CertPool
	byName   map[string]*Identity
	exact    map[string][]*Identity // by DNS name; of each kind of key, best first
	wildcard map[string][]*Identity // by DNS name without the "*."
	fallback []*Identity            // may be empty
}

// Load reads a store and accepts it if nothing in it is wrong. Otherwise the
// error joins one [*FileError] for every problem; [Problems] lists them. Of bundles
// it reads the index only; it opens them again in fsys when anchors are looked for.
func Load(fsys fs.FS, opt Options) (*Store, error) {
	report := (&inspector{fsys: fsys, now: opt.now(), opt: opt}).inspect()
	if err := report.Err(); err != nil {
		return nil, err
	}
	return newStore(report), nil
}

func newStore(report *Report) *Store {
	s := &Store{
		report:   report,
		groups:   map[string]*x509.CertPool{},
		byName:   map[string]*Identity{},
		exact:    map[string][]*Identity{},
		wildcard: map[string][]*Identity{},
	}
	for _, a := range report.Anchors {
		pool := s.groups[a.Group]
		if pool == nil {
			pool = x509.NewCertPool()
			s.groups[a.Group] = pool
		}
		pool.AddCert(a.Cert)
	}
	var servers []*Identity
	for kind := range keyKinds {
		for _, id := range report.Identities {
			s.byName[id.name] = id
			if id.kind() != kind || !id.ForServers() {
				continue
			}
			servers = append(servers, id)
			for _, name := range id.leaf.DNSNames {
				name = normalizeName(name)
				if domain, ok := strings.CutPrefix(name, "*."); ok {
					add(s.wildcard, domain, id)
				} else {
					add(s.exact, name, id)
				}
			}
		}
	}
	s.fallback = fallback(servers, s.byName[DefaultIdentity])
	return s
}

// add lists id once.
func add(index map[string][]*Identity, name string, id *Identity) {
	if !slices.Contains(index[name], id) {
		index[name] = append(index[name], id)
	}
}

// fallback returns the identities for clients that ask for nothing we have: the one
// called "default", else the only one there is, with those that stand in for it
// with another kind of key.
func fallback(servers []*Identity, named *Identity) []*Identity {
	if len(servers) == 0 {
		return nil
	}
	of := named
	if of == nil || !of.ForServers() {
		of = servers[0]
	}
	var twins []*Identity
	for _, id := range servers {
		if id == of || id.kind() != of.kind() && id.covers(of) && of.covers(id) {
			twins = append(twins, id)
		}
	}
	if of != named && len(twins) != len(servers) {
		return nil
	}
	return twins
}

// Roots returns a new pool of the trust anchors in a group, for a tls.Config's
// RootCAs or ClientCAs; "" is the group of the anchors that lie in no group.
// For a group that does not exist the pool is empty and nothing verifies: it
// is never nil, which crypto/tls would take for the system's own authorities.
//
// It parses all anchors of the group's bundles, which takes memory and time: with
// bundles use [Store.RootsFor]. Those that can't be used are left out.
func (s *Store) Roots(group string) *x509.CertPool {
	pool := s.groups[group]
	if pool != nil {
		pool = pool.Clone()
	} else {
		pool = x509.NewCertPool()
	}
	for _, b := range s.report.bundles {
		b.all(group, pool)
	}
	return pool
}

// Groups returns the names of the groups that hold anchors, sorted.
func (s *Store) Groups() []string {
	var names []string
	for name := range s.groups {
		names = append(names, name)
	}
	for _, b := range s.report.bundles {
		if !slices.Contains(names, b.group) {
			names = append(names, b.group)
		}
	}
	sort(names, alphabetic)
	return names
}

// Anchors returns all trust anchors: those of files, sorted by file, then those of
// bundles, which it parses; those that can't be used are left out, and
// [Store.FindAnchors] with an empty Query says why.
func (s *Store) Anchors() []Anchor {
	all, _ := s.FindAnchors(Query{})
	return all
}

// Identity finds an identity by the name of its folder.
func (s *Store) Identity(name string) (*Identity, bool) {
	id, ok := s.byName[name]
	return id, ok
}

// Identities returns all identities, sorted by name.
func (s *Store) Identities() []*Identity { return slices.Clone(s.report.Identities) }

// Default returns the identity for clients that ask for no name or for an
// unknown one; see the package comment.
func (s *Store) Default() (*Identity, bool) { return first(s.fallback) }

func first(ids []*Identity) (*Identity, bool) {
	if len(ids) == 0 {
		return nil, false
	}
	return ids[0], true
}

// Warnings returns what Load noticed and accepted, such as a certificate that
// expires within 30 days. A firmware logs them when it starts.
func (s *Store) Warnings() []*FileError { return slices.Clone(s.report.Warnings) }

// Select returns the identity for a client that asks for serverName, which may
// be empty. Case and a trailing dot do not matter. An IP address is not a
// server name (RFC 6066 §3) and selects the default. Of several with different kinds
// of keys it is the one that most clients can use at least cost; see Candidates.
func (s *Store) Select(serverName string) (*Identity, bool) { return first(s.candidates(serverName)) }

// Candidates returns all identities for a client that asks for serverName: they
// differ in their kinds of keys. Elliptic curves come before RSA.
func (s *Store) Candidates(serverName string) []*Identity {
	return slices.Clone(s.candidates(serverName))
}

func (s *Store) candidates(serverName string) []*Identity {
	name := normalizeName(serverName)
	if ids := s.exact[name]; len(ids) > 0 {
		return ids
	}
	if domain, ok := parentDomain(name); ok {
		if ids := s.wildcard[domain]; len(ids) > 0 {
			return ids
		}
	}
	return s.fallback
}

// GetCertificate is for a tls.Config: it selects by the name the client asks
// for and, if there are several identities for it, by the signatures that the client
// can verify. Without a matching or default identity it returns neither certificate
// nor error, and crypto/tls answers with the alert unrecognized_name, unless
// the Config has Certificates of its own.
func (s *Store) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	ids := s.candidates(hello.ServerName)
	if len(ids) == 0 {
		return nil, nil
	}
	for _, id := range ids[:len(ids)-1] {
		if hello.SupportsCertificate(&id.tls) == nil {
			return &id.tls, nil
		}
	}
	return &ids[len(ids)-1].tls, nil // crypto/tls says if it doesn't fit
}
