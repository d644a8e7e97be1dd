package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// ExitError makes the ingot process end with Code, such as the exit status of
// a firmware program that ran in an emulator. With a nil Err nothing is
// printed: the command has already said what there was to say.
type ExitError struct {
	Code   int
	Err    error
	Result any // with --json: what there is all the same
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// NewRootCommand returns a fresh command tree. Nothing is shared between two
// trees, so tests may run side by side.
func NewRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "ingot",
		Short: "Build, run and inspect Ingot firmware images",
		Long: `ingot builds Go programs into firmware images that boot with no operating
system, runs them in an emulator, and looks after the certificates inside them.`,
		// Run prints errors, once and in one form.
		SilenceErrors: true,
		SilenceUsage:  true,
		// A group given a word that is not one of its commands must fail, not
		// print its help and succeed.
		Args: noCommand,
		RunE: showHelp,
		Example: `  ingot doctor
  ingot new sensor
  ingot run -C sensor`,
	}
	var dir string
	root.PersistentFlags().StringVarP(&dir, "chdir", "C", "", "change to `folder` before anything else")
	root.PersistentFlags().Bool("no-progress", false, "don't show at a terminal what takes longer than a second")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if dir == "" {
			return nil
		}
		return os.Chdir(dir)
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(cmd, suggestFlag(cmd, err))
	})
	root.AddCommand(
		newBenchCommand(),
		newBoardsCommand(),
		newBuildCommand(),
		newCertsCommand(),
		newConfigCommand(),
		newDebugCommand(),
		newDoctorCommand(),
		newExecCommand(),
		newExitCodesTopic(),
		newFlashCommand(),
		newImageCommand(),
		newJSONTopic(),
		newMapCommand(),
		newMonitorCommand(),
		newNewCommand(),
		newProfileCommand(),
		newRunCommand(),
		newSizeCommand(),
		newTestBootCommand(),
		newTestCommand(),
		newVersionCommand(),
	)
	root.SetHelpCommand(newHelpCommand())
	wrapArgs(root)
	addCompletions(root)
	return root
}

// newHelpCommand is cobra's, but for a topic that there isn't: that is an error.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Help about any command, and about exit-codes and json",
		Long:  "help prints what --help of a command prints, or a text about a topic.",
		Example: `  ingot help build
  ingot help exit-codes`,
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var list []string
			if at, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, c := range at.Commands() {
					list = append(list, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return list, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = noCommand(at, rest)
			}
			if err != nil {
				return usageError(cmd.Root(), err)
			}
			return at.Help()
		},
	}
}

// showHelp is the RunE of commands that only group others.
func showHelp(cmd *cobra.Command, args []string) error { return cmd.Help() }

// wrapArgs turns every positional-argument refusal in the tree into a usage
// error, which has an exit status and a hint of its own.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError(cmd, err)
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		wrapArgs(child)
	}
}

func usageError(cmd *cobra.Command, err error) error {
	return &ExitError{
		Code: ExitUsage,
		Err:  fmt.Errorf("%w\nSee '%s --help'.", err, cmd.CommandPath()),
	}
}

// Run executes one command line (without the program's name) and returns the
// exit status for the shell.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := NewRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	out := &standardOutput{Writer: stdout}
	root.SetOut(out)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil || out.err != nil && errors.Is(err, out.err) {
		err = out.failed()
	}
	if err == nil {
		return ExitOK
	}
	var exit *ExitError
	if !errors.As(err, &exit) {
		exit = &ExitError{Code: exitCode(ctx, err), Err: err}
	}
	if text := remedy(exit); exit.Err != nil && text != "" && cmd.Name() != "doctor" {
		exit = &ExitError{exit.Code, fmt.Errorf("%w\n%s", exit.Err, text), exit.Result}
	}
	if wantsJSON(cmd, args) && out.err == nil {
		complain(cmd, exit) // standard error has it, too
	}
	if exit.Err != nil {
		fmt.Fprintln(stderr, "ingot: "+strings.TrimRight(exit.Err.Error(), "\n"))
	}
	return exit.Code
}
