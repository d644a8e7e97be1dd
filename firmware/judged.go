package firmware

import (
	"fmt"
	"slices"

	"ingot.dev/certs"
	"ingot.dev/tlsio"
)

// JudgedBy is for [Service.Prepare]: clients are judged by the anchors in a group of the
// store. A store without that group is an error.
//
//	TLS:     tlsio.TLSOptions{ClientAuth: tlsio.ClientAuthRequire},
//	Prepare: firmware.JudgedBy("clients"),
func JudgedBy(group string) func(*certs.Store, *tlsio.TLSOptions) error {
	return func(store *certs.Store, options *tlsio.TLSOptions) error {
		if groups := store.Groups(); !slices.Contains(groups, group) {
			return fmt.Errorf("the certificate store has no anchors in the group %q, it has those of %q; add some with 'ingot certs import --anchor --group %s'", group, groups, group)
		}
		options.Roots = store.Roots(group)
		return nil
	}
}
