package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/internal/pki"
	"ingot.dev/tools/ingot/internal/devrun"
	"ingot.dev/tools/ingot/internal/scaffold"
	"ingot.dev/tools/ingot/internal/storeedit"
)

func newNewCommand() *cobra.Command {
	opt := scaffold.Options{Days: int(pki.DefaultValidity / (24 * time.Hour))}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Begin a firmware of your own: a module that builds and runs at once",
		Long: `new makes the folder NAME with a small firmware: a Go module with main.go, a test
of it, a README, and development certificates. It builds and runs at once:

  ingot new sensor
  ingot run -C sensor

Where Ingot's module can't be downloaded, the new go.mod points at a checkout of
it: the one that this command was built from, or the folder of --ingot.`,
		Example: `  ingot new sensor
  ingot new devices/sensor --module example.com/sensor --board imx6ulevk`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt.Dir = args[0]
			if _, err := boards.ByName(opt.Board); err != nil {
				return err
			}
			if opt.Source == "" {
				opt.Source, opt.Version = ingotSource(cmd.Context())
			}
			if opt.Source == "" && opt.Version == "" {
				return errors.New("this ingot command can't tell where Ingot's module is; name a checkout of it with --ingot")
			}
			opt.Ingot = "ingot"
			if opt.Source != "" {
				opt.Ingot = "go run ingot.dev/tools/ingot"
			}
			opt.MakeCerts = func(dir string) error { return initDefaultCerts(dir, io.Discard) }
			err := working(cmd, "Making "+opt.Dir, func() error { return scaffold.Make(opt) })
			switch {
			case errors.Is(err, scaffold.ErrName):
				return badFlag(err)
			case errors.Is(err, scaffold.ErrNoSource):
				return badInput(err)
			case err != nil:
				return cannotWrite(err)
			}
			if asJSON {
				info, err := describeNew(opt)
				if err != nil {
					return err
				}
				return answer(cmd, info)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is made: main.go, a test, a README, and certs/ with development certificates.\n"+
				"Boot it in QEMU: %s\n", opt.Dir, runWith(opt))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Board, "board", "", "board to build for: "+strings.Join(boards.Names(), ", "))
	f.StringVar(&opt.ModulePath, "module", "", "module `path` (default: the folder's name)")
	f.StringVar(&opt.Source, "ingot", "", "`folder` of a checkout of Ingot to build with")
	addJSON(cmd, &asJSON)
	return cmd
}

// newInfo is what 'new --json' prints.
type newInfo struct {
	Dir     string     `json:"dir"`
	Module  string     `json:"module"`
	Ingot   string     `json:"ingot"` // the folder of a checkout, or a version
	Files   []fileInfo `json:"files"`
	RunWith string     `json:"run"` // the command that boots it
}

// runWith is the command that boots a new firmware.
func runWith(opt scaffold.Options) string {
	command := "ingot run -C " + devrun.ShellWord(opt.Dir)
	if opt.Board != "" {
		command += " --board " + opt.Board
	}
	return command
}

func describeNew(opt scaffold.Options) (newInfo, error) {
	info := newInfo{Dir: opt.Dir, Module: opt.ModulePath, Ingot: opt.Source, RunWith: runWith(opt)}
	if info.Ingot == "" {
		info.Ingot = opt.Version
	}
	if info.Module == "" {
		info.Module = filepath.Base(opt.Dir)
	}
	err := filepath.WalkDir(opt.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := d.Info()
		if err == nil {
			info.Files = append(info.Files, fileInfo{name, storeedit.Created, f.Mode().Perm() == private})
		}
		return err
	})
	return info, err
}

// ingotSource finds the module that this command belongs to: a released version,
// or the checkout it was built from.
func ingotSource(ctx context.Context) (dir, version string) {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == scaffold.Module && isRelease(info.Main.Version) {
		return "", info.Main.Version
	}
	// Built without -trimpath, this file's path says it; otherwise the module
	// of the current directory may know.
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		root := filepath.Join(filepath.Dir(file), "..", "..", "..", "..")
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return root, ""
		}
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", scaffold.Module).Output()
	if err != nil {
		return "", ""
	}
	return strings.TrimSpace(string(out)), ""
}

// isRelease tells a version that a module proxy knows from what the go command calls
// a build of a checkout.
func isRelease(v string) bool {
	return v != "" && v != "(devel)" && !strings.Contains(v, "+dirty") && !strings.HasPrefix(v, "v0.0.0-")
}
