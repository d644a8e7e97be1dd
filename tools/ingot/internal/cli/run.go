package cli

import (
	"cmp"
	"errors"
	"fmt"
	"go/build"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/internal/pki"
	"ingot.dev/tools/ingot/internal/appliance"
	"ingot.dev/tools/ingot/internal/devrun"
)

// defaultFirmware is what run runs when it is told nothing else.
const defaultFirmware = "ingot.dev/firmware/cmd/ingot-firmware"

func newRunCommand() *cobra.Command {
	var flags buildFlags
	var asJSON, hosted bool
	var config string
	opt := devrun.Options{}
	cmd := &cobra.Command{
		Use:   "run [PACKAGE]",
		Short: "Build a firmware, boot it in QEMU and wait until it serves TLS",
		Long: `run takes a firmware from source to a TLS port that answers: it makes
development certificates if there are none, builds the image, boots it in QEMU
with user-mode networking and a fresh seed, waits for a verified TLS handshake,
prints commands to try it with, and shows the console until Ctrl-C. Without PACKAGE
it takes the program in the current folder, or else Ingot's default firmware.

With --config it runs the firmware that a configuration describes. Its services are at
their own ports of 127.0.0.1, those below 1024 at 10000 more; --port is for the first
one.`,
		Example: `  ingot run
  ingot run --config examples/gateway/ingot.toml
  ingot run --port 9443 --env INGOT_ADDR=10.0.2.15/24 ./firmware/cmd/ingot-firmware`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			packages := args
			if len(args) == 0 {
				packages = []string{ownProgram()}
			}
			if opt.Port < 1 || opt.Port > 65535 {
				return usageError(cmd, fmt.Errorf("--port %d: give a number from 1 to 65535", opt.Port))
			}
			if opt.Limit <= 0 {
				return usageError(cmd, fmt.Errorf("--limit %v: give a time, such as 30s", opt.Limit))
			}
			name, err := imageName(packages)
			if err != nil {
				return err
			}
			opt.Image = flags.options(packages, filepath.Join("build", name))
			progress := newProgress(cmd)
			if config != "" {
				if len(args) > 0 {
					return usageError(cmd, errors.New("give --config or a program, not both"))
				}
				if opt.Certs != "" {
					return usageError(cmd, errors.New("--certs is for programs; a configuration says itself where its certificates are, in [certificates]"))
				}
				a, err := readConfig(config, appliance.Options{MakeCerts: func(dir string) error {
					out := progress.around(cmd.ErrOrStderr())
					fmt.Fprintf(out, "There are no certificates: making some for development in %s.\n", dir)
					return initDefaultCerts(dir, out)
				}})
				if err != nil {
					return err
				}
				folder, done, err := fromConfig(cmd, a)
				if err != nil {
					return err
				}
				defer done()
				if hosted {
					return runHosted(cmd, folder, opt.Env)
				}
				opt.Image.Package, opt.Image.Dir = []string{"."}, folder
				opt.Image.Output = filepath.Join("build", a.Name+".elf")
				opt.Certs = a.Certs
				opt.Address, opt.Gateway = a.Address()
				if level := a.LogLevel(); level == "warn" || level == "error" {
					// It is told by the log what is ready. What --env says stands before this.
					opt.Env = append(opt.Env, "INGOT_LOG_LEVEL=info")
				}
				opt.Services = forwarded(a.Services, opt.Port, cmd.Flags().Changed("port"))
				opt.Port = opt.Services[0].HostPort
			} else if hosted {
				return usageError(cmd, errors.New("--hosted is for --config; a program is run on this machine by 'go run'"))
			}
			opt.Working = progress.during
			opt.Progress = progress.around(cmd.ErrOrStderr())
			opt.Console = progress.around(cmd.OutOrStdout())
			if asJSON {
				if !opt.Check {
					return usageError(cmd, errors.New("--json is for --check: without it 'run' has no end that could be told"))
				}
				opt.Console = opt.Progress
			}
			opt.MakeCerts = func(dir string) error { return initDefaultCerts(dir, opt.Progress) }
			opt.Echoes = packages[0] == defaultFirmware
			opt.FullPaths = cmd.Flags().Changed("chdir")
			r, err := devrun.Run(cmd.Context(), opt)
			if err != nil || !asJSON {
				return err
			}
			info, err := describeImage(r.Image, nil)
			if err != nil {
				return err
			}
			return answer(cmd, runInfo{info, r.Port, r.CA, r.Build.Milliseconds(), r.Ready.Milliseconds()})
		},
	}
	flags.register(cmd.Flags())
	f := cmd.Flags()
	f.IntVar(&opt.Port, "port", devrun.GuestPort, "`port` of 127.0.0.1 for the firmware's TLS port")
	f.StringVar(&config, "config", "", "run the firmware that this configuration `file` describes, as a rule ingot.toml")
	f.BoolVar(&hosted, "hosted", false, "with --config: run it on this machine and its network, without QEMU")
	cmd.MarkFlagFilename("config", "toml")
	f.StringVar(&opt.Certs, "certs", "", "`folder` of development certificates to build in (default: certs in the program's folder)")
	f.StringArrayVar(&opt.Env, "env", nil, "`KEY=VALUE` for the firmware's environment; may be repeated")
	f.BoolVar(&opt.Check, "check", false, "end with status 0 as soon as it has answered")
	f.DurationVar(&opt.Limit, "limit", time.Minute, "`time` from power-on to the first TLS handshake")
	addJSON(cmd, &asJSON)
	return cmd
}

// forwarded says where the services of a configuration are on this machine: at their own
// ports or, below 1024 where not everybody may listen, 10000 higher; the first one at
// port, if that was asked for.
func forwarded(services []*appliance.Service, port int, asked bool) (list []devrun.Service) {
	for i, s := range services {
		at := s.Port
		switch {
		case i == 0 && asked:
			at = port
		case at < 1024:
			at += 10000
		}
		list = append(list, devrun.Service{Name: s.Name, Kind: s.Kind, Port: s.Port, HostPort: at, TLS: s.TLS, Mutual: s.Mutual, ServerName: s.ServerName})
	}
	return list
}

// runHosted builds the program in a folder for this machine, and runs it until the
// command is interrupted.
func runHosted(cmd *cobra.Command, folder string, env []string) error {
	program := filepath.Join(folder, "hosted")
	tool := cmp.Or(os.Getenv("GO"), "go")
	build := exec.CommandContext(cmd.Context(), tool, "build", "-buildvcs=false", "-o", program, ".")
	build.Dir = folder
	build.Stderr = cmd.ErrOrStderr()
	if err := working(cmd, "Building for this machine", build.Run); err != nil {
		return fmt.Errorf("%s build: %w", tool, err)
	}
	run := exec.CommandContext(cmd.Context(), program)
	run.Env = append(os.Environ(), env...)
	run.Stdout, run.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.WaitDelay = 10 * time.Second
	err := run.Run()
	if cmd.Context().Err() != nil {
		return nil // that is how it is ended
	}
	return err
}

// runInfo is what 'run --check --json' prints.
type runInfo struct {
	Image imageInfo `json:"image"`
	Port  int       `json:"port"`    // of 127.0.0.1
	CA    string    `json:"ca"`      // PEM file of the authority that verifies it
	Build int64     `json:"buildMs"` // milliseconds
	Ready int64     `json:"readyMs"` // from power-on to the first verified handshake
}

// ownProgram is what run runs when it is told nothing: the program in the current
// folder if there is one, otherwise the default firmware.
func ownProgram() string {
	if p, err := build.ImportDir(".", 0); err == nil && p.Name == "main" {
		return "."
	}
	return defaultFirmware
}

// initDefaultCerts is 'ingot certs init DIR', which says to out what it has made.
func initDefaultCerts(dir string, out io.Writer) error {
	init := certsInit{names: defaultNames, ips: defaultIPs, days: int(pki.DefaultValidity / (24 * time.Hour)), algorithm: string(pki.ECDSAP256)}
	made, err := init.run(dir)
	if err != nil {
		return err
	}
	return made.print(out)
}
