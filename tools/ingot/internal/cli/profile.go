package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/tools/bench"
	"ingot.dev/tools/profile"
)

func newProfileCommand() *cobra.Command {
	var opt bench.ProfileOptions
	var output, picture string
	var boot, asJSON bool
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "Show what the default firmware's instructions are spent on",
		Long: `profile builds the default firmware's benchmark image, boots it in QEMU with
instructions counted, keeps it busy with a load, and has it sample itself: a timer
interrupts whatever runs, and the stack is noted. It prints how much each layer has,
and writes the samples for 'go tool pprof' and as a flame graph that a browser shows.

Loads are transfers of plaintext and TLS (plain-in, plain-out, tls-in, tls-out),
handshakes (handshake, handshake-x25519, resumed), echoes of 64 bytes (echo-plain,
echo-tls), and transfers through a relay that terminates TLS (terminate-in,
terminate-out).

A second of --busy is 1,000,000,000 instructions. What is waited for is not part of it,
nor is the profiler itself, and it does not matter what else the host is doing. More
than 10,000 samples per second leave less and less time between them for what is to
be looked at: one costs 20,000 to 40,000 instructions.

With --boot it shows how a boot goes instead: the instructions of each step from reset
to the first TLS handshake, and of each package's initialization, as a table and a
picture.

A program of one's own has its profile by runtime/pprof, as anywhere.`,
		Example: `  ingot profile
  ingot profile --load handshake --busy 3s
  ingot profile --boot`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !slices.Contains(bench.Workloads(), opt.Workload):
				return usageError(cmd, fmt.Errorf("--load %s: there are %s", opt.Workload, strings.Join(bench.Workloads(), ", ")))
			case opt.Busy <= 0:
				return usageError(cmd, fmt.Errorf("--busy %v: give a time", opt.Busy))
			case opt.Rate < 1 || opt.Rate > bench.MaxProfileRate:
				return usageError(cmd, fmt.Errorf("--rate %d: give a number from 1 to %d", opt.Rate, bench.MaxProfileRate))
			}
			if boot {
				for _, name := range []string{"load", "busy", "rate", "wired", "output"} {
					if cmd.Flags().Changed(name) {
						return usageError(cmd, fmt.Errorf("--%s: a boot has none", name))
					}
				}
				if !cmd.Flags().Changed("svg") {
					picture = filepath.Join("build", "boot.svg")
				}
			}
			for _, file := range []string{output, picture} { // before a minute is spent
				if dir := filepath.Dir(file); dir != "build" {
					if _, err := os.Stat(dir); err != nil {
						return cannotWrite(fmt.Errorf("%s: %w", file, err))
					}
				} else if err := os.MkdirAll(dir, 0o777); err != nil {
					return cannotWrite(err)
				}
			}
			var err error
			if opt.Certs, err = defaultCerts(cmd, opt.Board); err != nil {
				return err
			}
			opt.Progress = cmd.ErrOrStderr()
			if boot {
				return profileBoot(cmd, opt, picture, asJSON)
			}
			p, err := bench.Profile(cmd.Context(), opt)
			if err != nil {
				return err
			}
			title := "ingot profile --load " + opt.Workload
			if err := errors.Join(
				writeFile(output, p.Write),
				writeFile(picture, func(w io.Writer) error { return p.WriteFlameGraph(w, title) }),
			); err != nil {
				return err
			}
			result := newProfileResult(p, opt, output, picture)
			if asJSON {
				return answer(cmd, result)
			}
			return result.print(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Board, "board", boards.Default, "board to measure: "+strings.Join(boards.Names(), ", "))
	f.StringVar(&opt.Workload, "load", bench.Workloads()[0], "what to keep it busy with: "+strings.Join(bench.Workloads(), ", "))
	f.DurationVar(&opt.Busy, "busy", time.Second, "for how long, in its own `time`: an instruction is a nanosecond")
	f.IntVar(&opt.Rate, "rate", bench.ProfileRate, "samples in a second of that")
	f.BoolVar(&opt.Wired, "wired", false, "over a wire to this program, which acknowledges many segments at once, in place of QEMU's user-mode network")
	f.BoolVar(&boot, "boot", false, "show how a boot goes, from reset to the first handshake")
	f.StringVarP(&output, "output", "o", filepath.Join("build", "profile.pb.gz"), "`file` for the samples")
	f.StringVar(&picture, "svg", filepath.Join("build", "profile.svg"), "`file` for the flame graph")
	cmd.MarkFlagFilename("output", "gz", "pprof")
	cmd.MarkFlagFilename("svg", "svg")
	addJSON(cmd, &asJSON)
	return cmd
}

// profileResult is what 'ingot profile' found.
type profileResult struct {
	Load    string         `json:"load"`
	Samples int64          `json:"samples"`
	Layers  []profileShare `json:"layers"`    // the largest first
	Top     []profileShare `json:"functions"` // by what is in them and in nothing below them
	Output  string         `json:"output"`
	SVG     string         `json:"svg"`
}

type profileShare struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"` // of 1
}

// topFunctions is how many are shown.
const topFunctions = 10

func newProfileResult(p *profile.Profile, opt bench.ProfileOptions, output, picture string) *profileResult {
	r := &profileResult{Load: opt.Workload, Samples: p.Samples(), Output: output, SVG: picture}
	for l, share := range p.Layers() {
		r.Layers = append(r.Layers, profileShare{string(l), share})
	}
	slices.SortFunc(r.Layers, func(a, b profileShare) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Name, b.Name))
	})
	for _, f := range p.Functions()[:min(topFunctions, len(p.Functions()))] {
		r.Top = append(r.Top, profileShare{f.Name, f.Share})
	}
	return r
}

func (r *profileResult) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d samples\n", r.Load, r.Samples)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, list := range [][]profileShare{r.Layers, nil, r.Top} {
		if list == nil {
			fmt.Fprintln(t, "\t\t")
		}
		for _, s := range list {
			fmt.Fprintf(t, "%.1f %%\t  %s\n", 100*s.Share, s.Name)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nflame graph: %s\nsamples: go tool pprof -top %s\n", r.SVG, r.Output)
	return err
}
