package cli

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/certs"
	"ingot.dev/tools/ingot/internal/storeedit"
)

func newCertsCRLCommand() *cobra.Command {
	var name string
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "crl DIR FILE...",
		Short: "Bring lists of revoked certificates into a store",
		Long: `crl reads certificate revocation lists (RFC 5280) in PEM or DER and puts them into the
store in DIR, for programs that refuse what an authority has revoked. A list takes the
place of an older one of the same authority. 'ingot certs ls' shows how long each is
good for: one that is out of date refuses all peers of its authority.

Lists that have changes only, or some certificates only, are refused. The result is
judged as with 'ingot certs check'; if it isn't sound, nothing is written.

The program sets Rules in firmware.Config (or in certs.Options) to certs.Rules(), and
judges by tlsio.CRLs{DER: store.CRLs()}.`,
		Example: `  ingot certs crl certs/image fleet.crl
  openssl ca -gencrl -config ca.conf -out fleet.crl && ingot certs crl certs/image fleet.crl`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			files := args[1:]
			if name != "" && len(files) > 1 {
				return usageError(cmd, fmt.Errorf("--as names one list, and there are %d", len(files)))
			}
			_, dir := openStore(args[0])
			edit, err := storeedit.Open(dir, force)
			if err != nil {
				return err
			}
			change := newStoreChange(dir)
			var done []string
			for _, file := range files {
				list, err := readCRL(file)
				if err != nil {
					return badInput(fmt.Errorf("%s: %w", file, err))
				}
				as := name
				if as == "" {
					as = storeedit.Slug(subjectName(&x509.Certificate{IsCA: true, Subject: list.Issuer, SerialNumber: list.Number}))
				}
				to, added, err := edit.CRL(as, list)
				if err != nil {
					return cannotWrite(err)
				}
				verified := false
				for _, c := range edit.Report().CRLs() {
					verified = verified || c.File == to && c.Verified
				}
				info := describeCRL(to, list, verified)
				change.CRLs = append(change.CRLs, info)
				line := fmt.Sprintf("list %s: %s, %s", to, info.Issuer, count(info.Revoked, "revoked certificate", "revoked certificates"))
				if info.NextUpdate != nil {
					line += ", until " + info.NextUpdate.Format(time.DateOnly)
				}
				if !added {
					line += " (was there)"
				}
				if !verified {
					line += "; no authority in the store has signed it"
				}
				done = append(done, line)
			}
			if err := edit.Write(); err != nil {
				return err
			}
			if asJSON {
				change.written(edit)
				return answer(cmd, change)
			}
			for _, line := range done {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "as", "", "`name` of the list's file (default: after its authority)")
	f.BoolVar(&force, "force", false, "replace a list of the same name, and a newer one of its authority")
	addJSON(cmd, &asJSON)
	return cmd
}

// readCRL reads a list in PEM or DER.
func readCRL(file string) (*x509.RevocationList, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 2*certs.MaxCRLSize+1)) // PEM takes a third more
	if err != nil {
		return nil, cause(err)
	}
	if block, _ := pem.Decode(data); block != nil {
		if block.Type != "X509 CRL" {
			return nil, fmt.Errorf("the file holds a %s, not a certificate revocation list; give the authority's list, which openssl calls CRL", block.Type)
		}
		data = block.Bytes
	}
	if len(data) > certs.MaxCRLSize {
		return nil, fmt.Errorf("the list is larger than %d bytes, which is what a device can have", certs.MaxCRLSize)
	}
	list, err := certs.ParseCRL(data)
	if err != nil {
		return nil, fmt.Errorf("it can't be used as a certificate revocation list: %w; give the authority's complete list, in PEM or DER", err)
	}
	return list, nil
}
