package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
)

// versionInfo is what 'version --json' prints.
type versionInfo struct {
	Version  string `json:"version"`            // of the module, "(devel)" for a checkout
	Revision string `json:"revision,omitempty"` // commit it was built from
	Modified bool   `json:"modified"`           // with changes not committed
	Go       string `json:"go"`
}

func newVersionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which Ingot this is",
		Long: `version prints the version of Ingot, the commit that it was built from where that is
known, and the Go release that built it.`,
		Example: `  ingot version
  ingot version --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			v := versionInfo{Version: "(devel)", Go: runtime.Version()}
			if info, ok := debug.ReadBuildInfo(); ok {
				v.Version = info.Main.Version
				for _, s := range info.Settings {
					switch s.Key {
					case "vcs.revision":
						v.Revision = s.Value
					case "vcs.modified":
						v.Modified = s.Value == "true"
					}
				}
			}
			if asJSON {
				return answer(cmd, v)
			}
			text := "ingot " + v.Version
			if v.Revision != "" {
				text += " " + v.Revision
			}
			if v.Modified {
				text += " (modified)"
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), text, v.Go)
			return err
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

// boardList is what 'boards --json' prints.
type boardList struct {
	Boards []boardInfo `json:"boards"`
}

// boardInfo is what it prints of each board.
type boardInfo struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	GOARCH  string `json:"goarch"`
	RAM     int64  `json:"ram"`         // bytes
	Budget  int64  `json:"imageBudget"` // bytes
	QEMU    string `json:"qemuMachine,omitempty"`
	Default bool   `json:"default"`
}

func newBoardsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "boards",
		Short: "List the boards that images can be built for",
		Long: `boards prints a table of the boards: the name that --board takes, the RAM, the most
that an image may have, and the machine of QEMU that emulates it.`,
		Example: `  ingot boards
  ingot boards --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []boardInfo
			for _, name := range boards.Names() {
				b, err := boards.ByName(name)
				if err != nil {
					return err
				}
				list = append(list, boardInfo{b.Name, b.Title, b.GOARCH, b.RAM, b.ImageBudget, b.QEMU.Machine, b.Name == boards.Default})
			}
			if asJSON {
				return answer(cmd, boardList{list})
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tRAM\tIMAGE AT MOST\tQEMU MACHINE\tBOARD")
			for _, b := range list {
				fmt.Fprintf(w, "%s\t%d MiB\t%d MB\t%s\t%s\n", b.Name, b.RAM>>20, b.Budget/1e6, b.QEMU, b.Title)
			}
			return w.Flush()
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}
