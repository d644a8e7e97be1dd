package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"ingot.dev/internal/atomicfile"
	"ingot.dev/tools/ingot/internal/appliance"
	"ingot.dev/tools/ingot/internal/scaffold"
	"ingot.dev/tools/ingot/internal/storeedit"
)

// configFile is what a configuration is called as a rule.
const configFile = "ingot.toml"

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Firmwares that are configured instead of programmed",
		Long: `config looks after configuration files, as a rule called ingot.toml. One of them and a
certificate store make a firmware, without a program: it says how the device is
reached and which services it has.

'ingot build --config FILE' makes an image of one, 'ingot run --config FILE' boots that.`,
		Args: noCommand,
		RunE: showHelp,
		Example: `  ingot config check examples/gateway/ingot.toml
  ingot config reference`,
	}
	cmd.AddCommand(newConfigCheckCommand(), newConfigEjectCommand(), newConfigReferenceCommand())
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a configuration, with its certificates",
		Long: `check says everything that is wrong with a configuration, with line and column:
its syntax, unknown keys, wrong types, values out of range, services in each other's
way, options that contradict each other, and identities and trust anchors that the
certificate store doesn't have. 'ingot build --config' checks the same before it builds.
Without FILE it takes ` + configFile + `. With a problem the exit status is 4.`,
		Example: `  ingot config check
  ingot config check examples/gateway/ingot.toml --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := configFile
			if len(args) > 0 {
				file = args[0]
			}
			a, err := readConfig(file, appliance.Options{})
			info := configInfo{File: file}
			var problems appliance.Problems
			if errors.As(err, &problems) {
				info.Problems = describeProblems(problems)
				if asJSON {
					return &ExitError{Code: ExitInput, Err: err, Result: info}
				}
			}
			if err != nil {
				return err
			}
			info.describe(a)
			if asJSON {
				return answer(cmd, info)
			}
			warn(cmd.ErrOrStderr(), a)
			fmt.Fprintf(cmd.OutOrStdout(), "%s is good: %s\n", file, count(len(a.Services), "service", "services"))
			for _, s := range a.Services {
				fmt.Fprintf(cmd.OutOrStdout(), "  %s: %s on port %d\n", s.Name, s.Kind, s.Port)
			}
			return nil
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

// readConfig reads a configuration. What is wrong with it are lines of the error, as
// compilers write them.
func readConfig(file string, o appliance.Options) (*appliance.Appliance, error) {
	a, err := appliance.Read(file, o)
	if problems, ok := errors.AsType[appliance.Problems](err); ok {
		err = fmt.Errorf("%s has %s:\n%w", file, count(len(problems), "problem", "problems"), err)
	}
	return a, badInput(err)
}

// configInfo is what 'config check --json' prints.
type configInfo struct {
	File     string              `json:"file"`
	Services []configServiceInfo `json:"services,omitempty"`
	Problems []configProblem     `json:"problems,omitempty"`
	Warnings []configProblem     `json:"warnings,omitempty"`
}

type configServiceInfo struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Port int    `json:"port"`
	TLS  bool   `json:"tls"`
}

type configProblem struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	What   string `json:"what"`
	Fix    string `json:"fix"`
}

func (i *configInfo) describe(a *appliance.Appliance) {
	for _, s := range a.Services {
		i.Services = append(i.Services, configServiceInfo{s.Name, s.Kind, s.Port, s.TLS})
	}
	i.Warnings = describeProblems(a.Warnings)
}

func describeProblems(problems appliance.Problems) (list []configProblem) {
	for _, p := range problems {
		list = append(list, configProblem{p.Line, p.Column, p.What, p.Fix})
	}
	return list
}

func warn(out io.Writer, a *appliance.Appliance) {
	for _, w := range a.Warnings {
		fmt.Fprintf(out, "%s:%d:%d: warning: %s; %s\n", w.File, w.Line, w.Column, w.What, w.Fix)
	}
}

func newConfigReferenceCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reference",
		Short: "Print what a configuration may say",
		Long: `reference prints every key of a configuration, with its type, its default, its range
and an example, as Markdown; or, with --json, as data.`,
		Example: `  ingot config reference
  ingot config reference --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON {
				return answer(cmd, appliance.DescribeSchema())
			}
			_, err := io.WriteString(cmd.OutOrStdout(), appliance.Reference())
			return err
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

func newConfigEjectCommand() *cobra.Command {
	var source string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "eject FILE NEWDIR",
		Short: "Turn a configuration into a program, to go on with",
		Long: `eject writes the program that a configuration stands for into the folder NEWDIR: a Go
module with main.go, go.mod, the certificate store and the folders that it embeds. It
is what 'ingot build --config' builds, byte for byte the same image. Go on from there
where configuration ends.`,
		Example: `  ingot config eject examples/gateway/ingot.toml gateway`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := readConfig(args[0], appliance.Options{})
			if err != nil {
				return err
			}
			warn(cmd.ErrOrStderr(), a)
			if entries, err := os.ReadDir(args[1]); err == nil && len(entries) > 0 {
				return cannotWrite(fmt.Errorf("%s is there already, and not empty; give another name, or remove it", args[1]))
			}
			files, err := configuredProgram(cmd, a, source)
			if err != nil {
				return err
			}
			tree, err := atomicfile.NewTree(args[1])
			if err != nil {
				return cannotWrite(err)
			}
			defer tree.Close()
			for _, name := range slices.Sorted(maps.Keys(files)) {
				if err := tree.Add(filepath.FromSlash(name), files[name], private); err != nil {
					return cannotWrite(err)
				}
			}
			if err := tree.Commit(); err != nil {
				return cannotWrite(err)
			}
			if asJSON {
				info := ejected{Dir: args[1], BuildWith: "ingot build -C " + args[1]}
				for _, name := range slices.Sorted(maps.Keys(files)) {
					info.Files = append(info.Files, fileInfo{filepath.Join(args[1], filepath.FromSlash(name)), storeedit.Created, true})
				}
				return answer(cmd, info)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is made. Build it: ingot build -C %s\n", args[1], args[1])
			return nil
		},
	}
	cmd.Flags().StringVar(&source, "ingot", "", "`folder` of a checkout of Ingot to build with")
	addJSON(cmd, &asJSON)
	return cmd
}

// ejected is what 'config eject --json' prints.
type ejected struct {
	Dir       string     `json:"dir"`
	Files     []fileInfo `json:"files"`
	BuildWith string     `json:"build"`
}

// configuredProgram returns the files of the module that a configuration stands for.
// source is a checkout of Ingot, "" to look for it.
func configuredProgram(cmd *cobra.Command, a *appliance.Appliance, source string) (map[string][]byte, error) {
	files, err := a.Generate()
	if err != nil {
		return nil, badInput(err)
	}
	o := scaffold.Options{ModulePath: "appliance", Source: source}
	if o.Source == "" {
		o.Source, _ = ingotSource(cmd.Context())
	}
	if o.Source == "" { // a version alone has no go.sum
		return nil, errors.New("this ingot command can't tell where a checkout of Ingot is, which configurations are built with; make the command from one (go build ./tools/ingot)")
	}
	files["go.mod"], files["go.sum"], err = o.GoMod()
	return files, err
}

// fromConfig writes the program that a configuration stands for into a temporary folder.
// done removes it.
func fromConfig(cmd *cobra.Command, a *appliance.Appliance) (dir string, done func(), err error) {
	warn(cmd.ErrOrStderr(), a)
	files, err := configuredProgram(cmd, a, "")
	if err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp("", "ingot-config-"); err != nil { // mode 0700: there are keys in it
		return "", nil, err
	}
	for name, data := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err = os.MkdirAll(filepath.Dir(name), 0o700); err == nil {
			err = os.WriteFile(name, data, private)
		}
		if err != nil {
			os.RemoveAll(dir)
			return "", nil, err
		}
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}
