package cli

import (
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ingot.dev/tools/ingot/internal/memmap"
)

func newMapCommand() *cobra.Command {
	var flags buildFlags
	var asJSON bool
	var svg string
	cmd := &cobra.Command{
		Use:   "map [PACKAGE|IMAGE.elf]",
		Short: "Show what is where in the memory of a machine",
		Long: `map shows the virtual addresses of a machine that runs an image: what of it is the
program's, what the kernel's, and with which rights. The kernel takes its addresses
from the same table. Without an argument it takes the program in the current folder,
or else Ingot's default firmware.`,
		Example: `  ingot map
  ingot map --svg map.svg build/ingot-firmware.elf`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			what := ownProgram()
			if len(args) == 1 {
				what = args[0]
			}
			file := what
			if filepath.Ext(what) != ".elf" {
				temp, err := os.MkdirTemp("", "ingot-map-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(temp)
				file = filepath.Join(temp, "image.elf")
				if _, err := flags.build(cmd, flags.options([]string{what}, file)); err != nil {
					return err
				}
			}
			if err := isELF(file); err != nil {
				return err
			}
			m, err := memmap.Read(file)
			if err != nil {
				return err
			}
			m.Title = what
			if svg != "" {
				if err := writeFile(svg, func(w io.Writer) error { return m.WriteSVG(w) }); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), m)
			}
			return m.WriteText(cmd.OutOrStdout())
		},
	}
	flags.register(cmd.Flags())
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.StringVar(&svg, "svg", "", "also draw the map into a `file`")
	return cmd
}
