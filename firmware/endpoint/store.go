package endpoint

import (
	"crypto/tls"
	"fmt"
	"slices"

	"ingot.dev/certs"
	"ingot.dev/firmware"
	"ingot.dev/tlsio"
)

// An IdentityError says that the store has no identity of that name.
type IdentityError struct {
	Name string
	Have []string // the names of those that there are
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("the certificate store has no identity %q, by its folder or by a name in its certificate; it has %q ('ingot certs issue' makes one)", e.Name, e.Have)
}

// A GroupError says that the store has no anchors of that group.
type GroupError struct {
	Group string // "" for the anchors in no group
	Have  []string
}

func (e *GroupError) Error() string {
	what := fmt.Sprintf("group %q", e.Group)
	if e.Group == "" {
		what = "anchor outside of groups"
	}
	return fmt.Sprintf("the certificate store has no %s to judge peers by; it has the groups %q ('ingot certs add-ca' adds anchors)", what, e.Have)
}

func identityNames(store *certs.Store) (names []string) {
	for _, id := range store.Identities() {
		names = append(names, id.Name())
	}
	return names
}

// serverCertificate returns the GetCertificate that offers an identity.
func serverCertificate(store *certs.Store, name string) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if name == "" {
		return store.GetCertificate, nil
	}
	if id, ok := store.Identity(name); ok && id.ForServers() {
		cert := id.TLS()
		return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }, nil
	}
	// Candidates falls back on the default identity.
	valid := func(id *certs.Identity) bool { return id.Leaf().VerifyHostname(name) == nil }
	if !slices.ContainsFunc(store.Candidates(name), valid) {
		return nil, &IdentityError{name, identityNames(store)}
	}
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		// Of several with different kinds of keys, the one that suits the client.
		as := *hello
		as.ServerName = name
		return store.GetCertificate(&as)
	}, nil
}

// Present makes a client show an identity of the store, by the name of its folder. The
// error is an *IdentityError.
func Present(o *tlsio.TLSOptions, store *certs.Store, name string) error {
	id, ok := store.Identity(name)
	if !ok || !id.ForClients() {
		return &IdentityError{name, identityNames(store)}
	}
	o.GetClientCertificate = id.GetClientCertificate
	return nil
}

// Trust lets a group of the store's anchors judge peers, "" being the anchors in no
// group, and the store's lists of revoked certificates, where an authority has one. The
// error is a *GroupError.
func Trust(o *tlsio.TLSOptions, store *certs.Store, group string) error {
	if !slices.Contains(store.Groups(), group) {
		return &GroupError{group, store.Groups()}
	}
	return firmware.JudgedBy(group)(store, o)
}
