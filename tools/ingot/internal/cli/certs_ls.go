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
		Long: `ls prints a table of the identities and trust anchors in DIR (or in DIR/image, if
'ingot certs init' made DIR). It lists whatever can be read: 'ingot certs check'
says whether the firmware would accept it.`,
		Example: "  ingot certs ls build/certs",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fsys, dir := openStore(args[0])
			now := time.Now()
			report := certs.Inspect(fsys, certs.Options{Now: func() time.Time { return now }})

			if asJSON {
				if err := writeJSON(cmd.OutOrStdout(), describeStore(dir, report)); err != nil {
					return err
				}
				if len(report.Problems) > 0 && len(report.Identities)+len(report.Anchors) == 0 {
					return &ExitError{Code: ExitInput} // the problems are in it
				}
				return nil
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(table, "KIND\tNAME\tSUBJECT\tNAMES\tKEY\tEXPIRES")
			for _, id := range report.Identities {
				row(table, role(id), id.Name(), id.Leaf(), id.Names(), id.KeyType(), now)
			}
			for _, a := range report.Anchors {
				row(table, "anchor", anchorName(a.File), a.Cert, nil, a.KeyType(), now)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			if n := len(report.Problems); n > 0 {
				if len(report.Identities)+len(report.Anchors) == 0 {
					// Nothing could be listed: the reason is the result.
					first := report.Problems[0]
					return badInput(fmt.Errorf("%s: %s; %s", filepath.Join(dir, filepath.FromSlash(first.File)), first.Reason, first.Fix))
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: run 'ingot certs check %s'\n", count(n, "problem", "problems"), args[0])
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with what 'ingot certs check' has to say")
	return cmd
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

func row(table *tabwriter.Writer, kind, name string, cert *x509.Certificate, names []string, key string, now time.Time) {
	list := strings.Join(names, ",")
	if list == "" {
		list = "-"
	}
	expires := cert.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.After(cert.NotAfter):
		expires += " (expired)"
	case now.Before(cert.NotBefore):
		expires += " (valid from " + cert.NotBefore.UTC().Format(time.DateOnly) + ")"
	default:
		expires += " (" + count(int(cert.NotAfter.Sub(now)/(24*time.Hour)), "day", "days") + ")"
	}
	fmt.Fprintln(table, strings.Join([]string{kind, name, cert.Subject.String(), list, key, expires}, "\t"))
}
