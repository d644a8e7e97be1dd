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
  ingot map --config examples/gateway/ingot.toml
  ingot map --svg map.svg build/ingot-firmware.elf`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := flags.program(cmd, args)
			if err != nil {
				return err
			}
			defer p.done()
			file := p.packages[0]
			if filepath.Ext(file) != ".elf" {
				temp, err := os.MkdirTemp("", "ingot-map-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(temp)
				file = filepath.Join(temp, "image.elf")
				if _, err := flags.build(cmd, flags.options(p.packages, file)); err != nil {
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
			m.Title = p.names[0]
			if svg != "" {
				if err := writeFile(svg, func(w io.Writer) error { return m.WriteSVG(w) }); err != nil {
					return err
				}
			}
			if asJSON {
				return answer(cmd, describeMap(m))
			}
			return m.WriteText(cmd.OutOrStdout())
		},
	}
	flags.register(cmd.Flags())
	flags.registerConfig(cmd)
	f := cmd.Flags()
	addJSON(cmd, &asJSON)
	f.StringVar(&svg, "svg", "", "also draw the map into a `file`")
	cmd.MarkFlagFilename("svg", "svg")
	return cmd
}

// mapInfo is what 'map --json' prints. Addresses are the virtual ones.
type mapInfo struct {
	Image string     `json:"image"`
	Areas []areaInfo `json:"areas"`
}

type areaInfo struct {
	From    uint64 `json:"from"`
	To      uint64 `json:"to,omitempty"` // behind the last byte; absent for the end of the address space
	What    string `json:"what"`
	Program string `json:"program"` // its rights: r, w, x, or - for each that it lacks
	Kernel  string `json:"kernel"`
}

func describeMap(m *memmap.Map) mapInfo {
	info := mapInfo{Image: m.Title}
	for _, a := range m.Areas {
		info.Areas = append(info.Areas, areaInfo{a.From, a.To, memmap.Plain(a.What), memmap.Rights(a.Program), memmap.Rights(a.Kernel)})
	}
	return info
}
