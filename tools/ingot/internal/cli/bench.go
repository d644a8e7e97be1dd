package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/tools/bench"
	"ingot.dev/tools/image"
)

func newBenchCommand() *cobra.Command {
	var opt bench.Options
	var jsonFile, baselineFile string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the default firmware in QEMU and print one table",
		Long: `bench builds the default firmware and its benchmark image, boots them in QEMU
and measures boot times, memory, the speed of ciphers and public keys inside the
guest, handshakes, transfers and echoes, and counts the instructions that they
take.

Times depend on the host and on what else it is doing: compare them within one
run. Instruction counts don't: --baseline compares them with an earlier result
and fails when one has changed by more than 2 %.`,
		Example: `  ingot bench --quick
  ingot bench --json now.json --baseline before.json
  ingot bench --part count`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var baseline *bench.Result
			if baselineFile != "" { // before minutes are spent
				var err error
				if baseline, err = bench.ReadFile(baselineFile); err != nil {
					return badInput(fmt.Errorf("baseline: %w", err))
				}
			}
			dir, err := image.MainDir(cmd.Context(), image.Options{Package: []string{defaultFirmware}, Board: opt.Board})
			if err != nil {
				return err
			}
			opt.Certs = filepath.Join(dir, "certs")
			if _, err := os.Stat(filepath.Join(opt.Certs, "image")); errors.Is(err, fs.ErrNotExist) {
				if err := initDefaultCerts(opt.Certs, cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			opt.Progress = cmd.ErrOrStderr()
			result, err := bench.Run(cmd.Context(), opt)
			if err != nil {
				return err
			}
			err = writeResult(cmd.OutOrStdout(), result, jsonFile)
			if baseline != nil {
				err = errors.Join(err, bench.Compare(result, baseline))
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Board, "board", boards.Default, "board to measure: "+strings.Join(boards.Names(), ", "))
	f.BoolVar(&opt.Quick, "quick", false, "measure less of everything, with more noise")
	f.StringSliceVar(&opt.Parts, "part", nil, "`parts` to run: "+strings.Join(bench.Parts(), ", ")+" (default: all)")
	f.StringVar(&jsonFile, "json", "", "also write the result to a `file`; - is standard output, in place of the table")
	f.StringVar(&baselineFile, "baseline", "", "compare instruction counts with those in a `file` that --json wrote")
	return cmd
}

// writeResult prints the table and, if it is asked to, writes JSON to a file, or prints
// that instead.
func writeResult(out io.Writer, result *bench.Result, jsonFile string) error {
	if jsonFile == "-" {
		return writeJSON(out, result)
	}
	err := result.WriteTable(out)
	if jsonFile != "" {
		err = errors.Join(err, cannotWrite(result.WriteFile(jsonFile)))
	}
	return err
}
