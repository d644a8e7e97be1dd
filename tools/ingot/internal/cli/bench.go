package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/tools/bench"
	"ingot.dev/tools/image"
)

func newBenchCommand() *cobra.Command {
	var opt bench.Options
	var output, baselineFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the default firmware in QEMU and print one table",
		Long: `bench builds the default firmware and its benchmark image, boots them in QEMU
and measures boot times, memory, the speed of ciphers and public keys inside the
guest, handshakes, transfers and echoes, counts the instructions that they take,
divides these among the firmware's layers, tries it with thousands of connections, and
counts what a relay adds to TLS (part relay).
Beside them it has the same of an image with portable code in the place of assembly for
ciphers (part portable).

Times depend on the host and on what else it is doing: compare them within one
run. Instruction counts don't: --baseline compares them with an earlier result
and fails when one has changed by more than 2 %, or a layer's by more than 2 % of the
whole.`,
		Example: `  ingot bench --quick
  ingot bench -o now.json --baseline before.json
  ingot bench --part count`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, part := range opt.Parts {
				if !slices.Contains(bench.Parts(), part) {
					return usageError(cmd, fmt.Errorf("--part %s: there are %s", part, strings.Join(bench.Parts(), ", ")))
				}
			}
			if output != "" { // before minutes are spent
				if _, err := os.Stat(filepath.Dir(output)); err != nil {
					return cannotWrite(fmt.Errorf("%s: %w", output, err))
				}
			}
			var baseline *bench.Result
			if baselineFile != "" { // before minutes are spent
				var err error
				if baseline, err = bench.ReadFile(baselineFile); err != nil {
					return badInput(fmt.Errorf("baseline: %w", err))
				}
			}
			var err error
			if opt.Certs, err = defaultCerts(cmd, opt.Board); err != nil {
				return err
			}
			opt.Progress = cmd.ErrOrStderr()
			result, err := bench.Run(cmd.Context(), opt)
			if err != nil {
				return err
			}
			if output != "" {
				if err := writeFile(output, result.WriteJSON); err != nil {
					return err
				}
			}
			var worse error
			if baseline != nil {
				worse = bench.Compare(result, baseline)
			}
			switch {
			case !asJSON:
				return errors.Join(result.WriteTable(cmd.OutOrStdout()), worse)
			case worse != nil:
				return &ExitError{Code: ExitFailure, Err: worse, Result: result}
			}
			return answer(cmd, result)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Board, "board", boards.Default, "board to measure: "+strings.Join(boards.Names(), ", "))
	f.BoolVar(&opt.Quick, "quick", false, "measure less of everything, with more noise")
	f.StringSliceVar(&opt.Parts, "part", nil, "`parts` to run: "+strings.Join(bench.Parts(), ", ")+" (default: all)")
	f.StringVarP(&output, "output", "o", "", "also write the result to a `file`, for --baseline")
	f.StringVar(&baselineFile, "baseline", "", "compare instruction counts with those in a `file` that --output wrote")
	cmd.MarkFlagFilename("output", "json")
	cmd.MarkFlagFilename("baseline", "json")
	addJSON(cmd, &asJSON)
	return cmd
}

// defaultCerts returns the folder with the default firmware's development certificates,
// and makes them if there are none.
func defaultCerts(cmd *cobra.Command, board string) (string, error) {
	dir, err := image.MainDir(cmd.Context(), image.Options{Package: []string{defaultFirmware}, Board: board})
	if err != nil {
		return "", err
	}
	store := filepath.Join(dir, "certs")
	if _, err := os.Stat(filepath.Join(store, "image")); errors.Is(err, fs.ErrNotExist) {
		return store, initDefaultCerts(store, cmd.ErrOrStderr())
	}
	return store, nil
}
