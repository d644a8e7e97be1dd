package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/certs"
)

func newCertsCheckCommand() *cobra.Command {
	var asJSON bool
	var rootsFile string
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Judge a certificate store as the firmware will when it starts",
		Long: `check reads the certificate store in DIR (or in DIR/image, if 'ingot certs init'
made DIR) with the code that the firmware runs when it starts, and prints every
problem with the file, the reason and what to do. With a problem the exit status
is 4. Warnings, such as a certificate that expires within 30 days, do not change
the exit status.

Then it says what a client would that connects by each name of a server's certificate:
one that trusts the authorities of the store, of this machine, or of --roots.`,
		Example: `  ingot certs check certs
  ingot certs check certs/image --roots corporate-ca.pem
  ingot certs check certs --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			roots, err := rootsOf(rootsFile)
			if err != nil {
				return err
			}
			fsys, dir := openStore(args[0])
			now := time.Now()
			report := certs.Inspect(fsys, certs.Options{Now: func() time.Time { return now }})
			var unsound error
			if n := len(report.Problems); n > 0 {
				unsound = badInput(fmt.Errorf("%s has %s: an image with it would not start", dir, count(n, "problem", "problems")))
			}
			out := cmd.OutOrStdout()
			if asJSON {
				info := describeStore(dir, report, now)
				for i, id := range report.Identities {
					info.Identities[i].Clients = clients(id, report, roots, now)
				}
				if unsound != nil {
					return &ExitError{Code: ExitInput, Err: unsound, Result: info}
				}
				return answer(cmd, info)
			}
			for _, e := range report.Warnings {
				printProblem(out, dir, "warning: ", e)
			}
			for _, e := range report.Problems {
				printProblem(out, dir, "", e)
			}
			for _, id := range report.Identities {
				printClients(out, id, clients(id, report, roots, now))
			}
			if unsound != nil {
				return unsound
			}
			fmt.Fprintf(out, "%s is sound: %s, %s%s\n", dir,
				count(len(report.Anchors), "trust anchor", "trust anchors"),
				count(len(report.Identities), "identity", "identities"), countRules(report))
			return nil
		},
	}
	addJSON(cmd, &asJSON)
	cmd.Flags().StringVar(&rootsFile, "roots", "", "PEM `file` of the authorities that clients trust, instead of the store's and this machine's")
	cmd.MarkFlagFilename("roots", "pem", "crt")
	return cmd
}

// printProblem shows a problem as a compiler would, with what to do below.
func printProblem(out io.Writer, dir, prefix string, e *certs.FileError) {
	reason := e.Reason
	if e.Err != nil {
		reason += " (" + e.Err.Error() + ")"
	}
	fmt.Fprintf(out, "%s: %s%s\n    %s\n", filepath.Join(dir, filepath.FromSlash(e.File)), prefix, reason, e.Fix)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
