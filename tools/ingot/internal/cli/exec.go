package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/qemu"
)

func newExecCommand() *cobra.Command {
	var flags buildFlags
	var machine machineFlags
	cmd := &cobra.Command{
		Use:   "exec PACKAGE|FILE.go...|IMAGE.elf [-- ARGUMENT...]",
		Short: "Run a Go program on an emulated board, like 'go run'",
		Long: `exec builds a program into an image, or takes one that is built, and boots it
in QEMU. What the program prints appears on standard output, and its exit
status becomes that of this command. There is no network unless --network
asks for it.`,
		Example: `  ingot exec hello.go
  ingot exec --env DEBUG=1 ./cmd/selftest -- -v`,
		Args: func(cmd *cobra.Command, args []string) error {
			programArgs, _ := splitArgs(cmd, args)
			return packageArgs(cmd, programArgs)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			packages, guestArgs := splitArgs(cmd, args)
			if _, err := qemu.Find(flags.board); err != nil {
				return err
			}
			file := packages[0]
			if filepath.Ext(file) != ".elf" {
				dir, err := os.MkdirTemp("", "ingot-exec-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(dir)
				file = filepath.Join(dir, "program.elf")
				if _, err := flags.build(cmd, flags.options(packages, file)); err != nil {
					return err
				}
			}
			cfg := machine.config()
			cfg.Image = file
			cfg.Board = flags.board
			cfg.Args = guestArgs
			cfg.Console = cmd.OutOrStdout()
			if machine.timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, machine.timeout, fmt.Errorf("it did not end within %v", machine.timeout))
				defer cancel()
			}
			m, err := qemu.Start(ctx, cfg)
			if err != nil {
				return err
			}
			defer m.Stop()
			code, err := m.Wait()
			if err != nil {
				return err
			}
			if code != 0 {
				return &ExitError{Code: code} // the program has said why
			}
			return nil
		},
	}
	flags.register(cmd.Flags())
	machine.register(cmd)
	return cmd
}

// splitArgs separates what to run from what to pass to it.
func splitArgs(cmd *cobra.Command, args []string) (packages, guest []string) {
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		return args[:dash], args[dash:]
	}
	return args, nil
}

// machineFlags describe the machine that exec boots.
type machineFlags struct {
	env     []string
	network bool
	noSeed  bool
	icount  bool
	timeout time.Duration
}

func (f *machineFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.env, "env", nil, "`KEY=VALUE` for the program's environment; may be repeated")
	flags.BoolVar(&f.network, "network", false, "give the machine a network, on which the host is 10.0.2.2")
	flags.BoolVar(&f.noSeed, "no-seed", false, "boot without entropy")
	flags.BoolVar(&f.icount, "icount", false, "one nanosecond of virtual time per instruction, and none spent idle")
	flags.DurationVar(&f.timeout, "timeout", 0, "give up after this much `time` (default: never)")
}

func (f *machineFlags) config() qemu.Config {
	cfg := qemu.Config{
		Env:     f.env,
		Network: f.network,
		NoSeed:  f.noSeed,
	}
	if f.icount {
		cfg.ICount = qemu.ICountDeterministic
	}
	return cfg
}
