package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"ingot.dev/certs"
)

func newCertsCheckCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Judge a certificate store as the firmware will when it starts",
		Long: `check reads the certificate store in DIR (or in DIR/image, if 'ingot certs init'
made DIR) with the code that the firmware runs when it starts, and prints every
problem with the file, the reason and what to do. With a problem the exit status
is 4. Warnings, such as a certificate that expires within 30 days, do not change
the exit status.`,
		Example: "  ingot certs check build/certs",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fsys, dir := openStore(args[0])
			report := certs.Inspect(fsys, certs.Options{})
			out := cmd.OutOrStdout()
			if asJSON {
				if err := writeJSON(out, describeStore(dir, report)); err != nil {
					return err
				}
				if len(report.Problems) > 0 {
					return &ExitError{Code: ExitInput} // they are in it
				}
				return nil
			}
			for _, e := range report.Warnings {
				printProblem(out, dir, "warning: ", e)
			}
			for _, e := range report.Problems {
				printProblem(out, dir, "", e)
			}
			if n := len(report.Problems); n > 0 {
				return badInput(fmt.Errorf("%s has %s: an image with it would not start", dir, count(n, "problem", "problems")))
			}
			fmt.Fprintf(out, "%s is sound: %s, %s\n", dir,
				count(len(report.Anchors), "trust anchor", "trust anchors"),
				count(len(report.Identities), "identity", "identities"))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
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
