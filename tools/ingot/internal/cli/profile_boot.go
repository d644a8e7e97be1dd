package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ingot.dev/tools/bench"
	"ingot.dev/tools/boottime"
)

// bootResult is what 'ingot profile --boot' found.
type bootResult struct {
	Instructions uint64     `json:"instructions"`
	Steps        []bootStep `json:"steps"`
	Packages     []bootStep `json:"packages"`
	SVG          string     `json:"svg"`
}

type bootStep struct {
	Name         string `json:"name"`
	From         uint64 `json:"from"` // instructions since reset
	Instructions uint64 `json:"instructions"`
}

// leastPackage is what a package's initialization takes to be in the table.
const leastPackage = 30_000

func profileBoot(cmd *cobra.Command, opt bench.ProfileOptions, picture string, asJSON bool) error {
	line, err := bench.BootTime(cmd.Context(), opt)
	if err != nil {
		return err
	}
	title := fmt.Sprintf("%s: instructions from reset to the first TLS handshake", opt.Board)
	if err := writeFile(picture, func(w io.Writer) error { return line.WriteSVG(w, title) }); err != nil {
		return err
	}
	if asJSON {
		return answer(cmd, &bootResult{line.Total().Instructions(), bootSteps(line.Steps), bootSteps(line.Packages), picture})
	}
	if err := line.WriteText(cmd.OutOrStdout(), leastPackage); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "\npicture: %s\n", picture)
	return err
}

func bootSteps(steps []boottime.Step) (list []bootStep) {
	for _, s := range steps {
		list = append(list, bootStep{s.Name, s.From, s.Instructions()})
	}
	return list
}
