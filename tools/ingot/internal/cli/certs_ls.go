package cli

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/certs"
)

func newCertsListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "ls DIR",
		Aliases: []string{"list"},
		Short:   "List what a certificate store holds",
		Long: `ls prints a table of the identities, trust anchors, intermediates, revocation lists and
sets of pins in DIR (or in DIR/image, if 'ingot certs init' made DIR). It lists whatever can be read: 'ingot certs check'
says whether the firmware would accept it.

CHAIN says how far the certificates that the identity sends reach: to an anchor of the
store, or to an authority that is not in it ("needs"), which is in order when the peers
have that one.`,
		Example: "  ingot certs ls build/certs",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fsys, dir := openStore(args[0])
			now := time.Now()
			report := certs.Inspect(fsys, certs.Options{Now: func() time.Time { return now }})

			if asJSON {
				info := describeStore(dir, report, now)
				if err := nothingListed(dir, report); err != nil {
					return &ExitError{Code: ExitInput, Err: err, Result: info}
				}
				return answer(cmd, info)
			}
			if err := nothingListed(dir, report); err != nil {
				return badInput(err)
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(table, "KIND\tNAME\tSUBJECT\tNAMES\tKEY\tEXPIRES\tCHAIN")
			for _, id := range report.Identities {
				row(table, role(id), id.Name(), id.Leaf(), id.Names(), keyOf(id), now, chainState(id, report, now).String())
			}
			for _, a := range report.Anchors {
				row(table, "anchor", anchorName(a.File), a.Cert, nil, a.KeyType(), now, anchorState(a.Cert))
			}
			listRules(table, report, now)
			if err := table.Flush(); err != nil {
				return err
			}
			if n := len(report.Problems); n > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: run 'ingot certs check %s'\n", count(n, "problem", "problems"), args[0])
			}
			return nil
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

// nothingListed is the error of a store of which nothing could be listed: the reason is
// the result then.
func nothingListed(dir string, r *certs.Report) error {
	if len(r.Problems) == 0 || len(r.Identities)+len(r.Anchors) > 0 {
		return nil
	}
	first := r.Problems[0]
	return fmt.Errorf("%s: %s; %s", filepath.Join(dir, filepath.FromSlash(first.File)), first.Reason, first.Fix)
}

// anchorName is what an anchor is called: its file's path below anchors/, without .der.
func anchorName(file string) string {
	return strings.TrimSuffix(strings.TrimPrefix(file, "anchors/"), ".der")
}

func role(id *certs.Identity) string {
	switch {
	case id.ForServers() && id.ForClients():
		return "server+client"
	case id.ForServers():
		return "server"
	case id.ForClients():
		return "client"
	}
	return "unusable"
}

func row(table *tabwriter.Writer, kind, name string, cert *x509.Certificate, names []string, key string, now time.Time, chain string) {
	list := strings.Join(names, ",")
	if list == "" {
		list = "-"
	}
	fmt.Fprintln(table, strings.Join([]string{kind, name, cert.Subject.String(), list, key, until(cert.NotBefore, cert.NotAfter, now), chain}, "\t"))
}
