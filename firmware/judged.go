package firmware

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"ingot.dev/certs"
	"ingot.dev/tlsio"
)

// ErrListsUnread says that a service would judge clients by the store's anchors, but not
// by the store's lists of what they have revoked.
var ErrListsUnread error = unread{}

type unread struct{}

func (unread) Error() string {
	return "the certificate store has lists of revoked certificates, which this service wouldn't look at; set its Prepare to firmware.JudgedBy(\"\"), or its TLS.CA, Roots or RootsFor"
}

// JudgedBy is for [Service.Prepare]: clients are judged by the anchors in a group of the
// store, "" being those in no group, and by the store's lists of revoked certificates,
// where an authority has one. A store without that group is an error.
//
//	TLS:     tlsio.TLSOptions{ClientAuth: tlsio.ClientAuthRequire},
//	Prepare: firmware.JudgedBy("clients"),
func JudgedBy(group string) func(*certs.Store, *tlsio.TLSOptions) error {
	return func(store *certs.Store, options *tlsio.TLSOptions) error {
		if groups := store.Groups(); !slices.Contains(groups, group) {
			if group == "" {
				return errors.New("the certificate store has no anchors outside of groups; add some with 'ingot certs import --anchor'")
			}
			return fmt.Errorf("the certificate store has no anchors in the group %q, it has those of %q; add some with 'ingot certs import --anchor --group %s'", group, groups, group)
		}
		with := slices.Clip(options.With) // the service's own stay as they are
		if certs.Bundled(store, group) {
			with = append(with, tlsio.RootsFor(func(chain []*x509.Certificate) (*x509.CertPool, error) {
				return store.RootsFor(chain, group)
			}))
		} else {
			options.Roots = store.Roots(group)
		}
		if lists := store.CRLs(); len(lists) > 0 {
			with = append(with, tlsio.CRLs{DER: lists, Partial: true})
		}
		options.With = with
		return nil
	}
}
