package cli

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/qemu"
	"ingot.dev/tools/image"
	"ingot.dev/tools/ingot/internal/sizes"
)

func newDebugCommand() *cobra.Command {
	var flags buildFlags
	var machine machineFlags
	var output string
	var port int
	var forwards []string
	cmd := &cobra.Command{
		Use:   "debug [PACKAGE|IMAGE.elf] [-- ARGUMENT...]",
		Short: "Boot an image in QEMU and wait for a debugger",
		Long: `debug builds a program with its symbols, or takes an image that was built with
--symbols, boots it in QEMU, and stops it before its first instruction. It prints the
command that attaches gdb, which lets it go on; the program's console follows. Break
at a Go function by its name, as in 'break main.main'. Without PACKAGE it takes the
program in the current folder, or else Ingot's default firmware. With --config it is the
firmware that a file describes, whose services are at free ports of 127.0.0.1.

On Debian gdb for Arm is the package gdb-multiarch. Anything else that speaks GDB's
remote protocol can attach, too. Ctrl-C ends the machine.`,
		Example: `  ingot debug
  ingot debug --port 1234 --forward 8443 ./firmware/cmd/ingot-firmware
  ingot debug --config examples/gateway/ingot.toml
  ingot debug hello.go -- -v`,
		Args: func(cmd *cobra.Command, args []string) error {
			if programArgs, _ := splitArgs(cmd, args); len(programArgs) > 0 {
				return packageArgs(cmd, programArgs)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			packages, guestArgs := splitArgs(cmd, args)
			if port < 0 || port > 65535 {
				return usageError(cmd, fmt.Errorf("--port %d: give a number from 1 to 65535", port))
			}
			cfg := machine.config()
			var err error
			if cfg.Forwards, err = parseForwards(forwards); err != nil {
				return usageError(cmd, err)
			}
			if _, err := qemu.Find(flags.board); err != nil {
				return err
			}
			p, err := flags.program(cmd, packages)
			if err != nil {
				return err
			}
			defer p.done()
			if p.appliance != nil {
				cfg.Network = true
				cfg.Address, cfg.Gateway = p.appliance.Address()
				for _, s := range p.appliance.Services {
					if !slices.ContainsFunc(cfg.Forwards, func(f qemu.Forward) bool { return f.GuestPort == s.Port }) {
						cfg.Forwards = append(cfg.Forwards, qemu.Forward{GuestPort: s.Port})
					}
				}
			}
			cfg.Image = p.packages[0]
			if filepath.Ext(cfg.Image) != ".elf" {
				if cfg.Image = output; output == "" {
					name, err := imageName(p.names)
					if err != nil {
						return err
					}
					cfg.Image = filepath.Join("build", strings.TrimSuffix(name, ".elf")+"-debug.elf")
				}
				flags.symbols = true
				if err := buildToRun(cmd, &flags, p.packages, cfg.Image); err != nil {
					return err
				}
			} else if err := hasSymbols(cfg.Image); err != nil {
				return err
			}
			cfg.Board, cfg.Args, cfg.Console = flags.board, guestArgs, cmd.OutOrStdout()
			cfg.Debugger, cfg.DebuggerPort = true, port
			m, err := qemu.Start(ctx, cfg)
			if errors.Is(err, qemu.ErrPortTaken) {
				return fmt.Errorf("%w; choose another, or leave it out for a free one", err)
			}
			if err != nil {
				return err
			}
			defer m.Stop()
			printAttach(cmd.ErrOrStderr(), m, cfg)
			code, err := m.Wait()
			if ctx.Err() != nil {
				return nil // Ctrl-C is how it ends
			}
			if err != nil {
				return err
			}
			if code != 0 {
				return &ExitError{Code: code}
			}
			return nil
		},
	}
	flags.register(cmd.Flags())
	flags.registerConfig(cmd)
	cmd.Flags().MarkHidden("symbols") // always there
	machine.register(cmd)
	cmd.Flags().MarkHidden("timeout") // somebody sits there and thinks
	f := cmd.Flags()
	f.IntVar(&port, "port", 0, "`port` of 127.0.0.1 for the debugger (default: a free one)")
	f.StringArrayVar(&forwards, "forward", nil, "`[HOST:]GUEST`: reach a TCP port of the program at one of 127.0.0.1; may be repeated")
	f.StringVarP(&output, "output", "o", "", "`file` for the image (default: build/NAME-debug.elf)")
	return cmd
}

// buildToRun builds a program that is run from here. The default firmware gets
// development certificates if it has none.
func buildToRun(cmd *cobra.Command, flags *buildFlags, packages []string, output string) error {
	opt := flags.options(packages, output)
	dir, err := image.MainDir(cmd.Context(), opt)
	if err != nil {
		return err
	}
	store := filepath.Join(dir, "certs")
	if _, err := os.Stat(filepath.Join(store, "image")); errors.Is(err, os.ErrNotExist) && packages[0] == defaultFirmware {
		if err := initDefaultCerts(store, cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	if err := checkCerts(dir); err != nil {
		return err
	}
	_, err = flags.build(cmd, opt)
	return err
}

// parseForwards reads the values of --forward.
func parseForwards(texts []string) ([]qemu.Forward, error) {
	var list []qemu.Forward
	for _, text := range texts {
		host, guest, both := strings.Cut(text, ":")
		if !both {
			host, guest = guest, host
		}
		var f qemu.Forward
		var err error
		if both {
			f.HostPort, err = strconv.Atoi(host)
			if err == nil && (f.HostPort < 1 || f.HostPort > 65535) {
				err = strconv.ErrRange
			}
		}
		if err == nil {
			f.GuestPort, err = strconv.Atoi(guest)
		}
		if err != nil || f.GuestPort < 1 || f.GuestPort > 65535 {
			return nil, fmt.Errorf("--forward %s: give a port of the program, or HOST:GUEST, from 1 to 65535", text)
		}
		list = append(list, f)
	}
	return list, nil
}

// printAttach says how to go on.
func printAttach(out io.Writer, m *qemu.Machine, cfg qemu.Config) {
	fmt.Fprintf(out, "The machine stands at its first instruction. Attach, and let it go on with 'continue':\n\n"+
		"  gdb-multiarch -ex 'target remote %s' -ex 'break main.main' %s\n\n", m.DebuggerAddr(), cfg.Image)
	for _, f := range cfg.Forwards {
		fmt.Fprintf(out, "Port %d of the program is %s.\n", f.GuestPort, m.Addr(f.GuestPort))
	}
}

// hasSymbols refuses an image that a debugger could make nothing of.
func hasSymbols(file string) error {
	if err := isELF(file); err != nil {
		return err
	}
	f, err := elf.Open(file)
	if err != nil {
		return badInput(err)
	}
	defer f.Close()
	if symbols, err := f.Symbols(); err != nil || len(symbols) == 0 {
		return badInput(fmt.Errorf("%s: %w", file, sizes.ErrNoSymbols))
	}
	return nil
}
