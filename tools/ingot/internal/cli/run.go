package cli

import (
	"errors"
	"fmt"
	"go/build"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/internal/pki"
	"ingot.dev/tools/ingot/internal/devrun"
)

// defaultFirmware is what run runs when it is told nothing else.
const defaultFirmware = "ingot.dev/firmware/cmd/ingot-firmware"

func newRunCommand() *cobra.Command {
	var flags buildFlags
	var asJSON bool
	opt := devrun.Options{}
	cmd := &cobra.Command{
		Use:   "run [PACKAGE]",
		Short: "Build a firmware, boot it in QEMU and wait until it serves TLS",
		Long: `run takes a firmware from source to a TLS port that answers: it makes
development certificates if there are none, builds the image, boots it in QEMU
with user-mode networking and a fresh seed, waits for a verified TLS handshake,
prints commands to try it with, and shows the console until Ctrl-C. Without PACKAGE
it takes the program in the current folder, or else Ingot's default firmware.`,
		Example: `  ingot run
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
			name, err := imageName(packages)
			if err != nil {
				return err
			}
			opt.Image = flags.options(packages, filepath.Join("build", name))
			progress := newProgress(cmd)
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
	f.StringVar(&opt.Certs, "certs", "", "`folder` of development certificates to build in (default: certs in the program's folder)")
	f.StringArrayVar(&opt.Env, "env", nil, "`KEY=VALUE` for the firmware's environment; may be repeated")
	f.BoolVar(&opt.Check, "check", false, "end with status 0 as soon as it has answered")
	f.DurationVar(&opt.Limit, "limit", time.Minute, "`time` from power-on to the first TLS handshake")
	addJSON(cmd, &asJSON)
	return cmd
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
	return init.print(out, made)
}
