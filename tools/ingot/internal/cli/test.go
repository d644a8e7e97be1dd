package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
	"ingot.dev/tools/ingot/internal/devtest"
)

// testFlags are test's own. They are parsed by package flag, so that they can be
// typed as for go test, with one dash.
type testFlags struct {
	board, tags, chdir string
	verbose, network   bool
	race, help         bool
	timeout            time.Duration
	env                listFlag

	// Those of the test binary are passed on.
	set *flag.FlagSet
}

type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, " ") }
func (l *listFlag) Set(s string) error { *l = append(*l, s); return nil }

// passed are flags of go test that the test binary takes too.
var passed = []string{"run", "skip", "bench", "benchtime", "count", "cpu", "list", "parallel", "short", "shuffle", "failfast", "benchmem", "fullpath"}

func newTestFlags() *testFlags {
	f := &testFlags{set: flag.NewFlagSet("test", flag.ContinueOnError)}
	s := f.set
	s.SetOutput(io.Discard)
	s.Usage = func() {}
	s.StringVar(&f.board, "board", boards.Default, "")
	s.StringVar(&f.tags, "tags", "", "")
	s.StringVar(&f.chdir, "C", "", "")
	s.StringVar(&f.chdir, "chdir", "", "")
	s.BoolVar(&f.verbose, "v", false, "")
	s.BoolVar(&f.network, "network", true, "")
	s.BoolVar(&f.race, "race", false, "")
	s.BoolVar(&f.help, "h", false, "")
	s.BoolVar(&f.help, "help", false, "")
	s.DurationVar(&f.timeout, "timeout", 10*time.Minute, "")
	s.Var(&f.env, "env", "")
	for _, name := range passed {
		switch name {
		case "short", "failfast", "benchmem", "fullpath":
			s.Bool(name, false, "")
		default:
			s.String(name, "", "")
		}
	}
	return f
}

// binaryArgs are what the test binary gets.
func (f *testFlags) binaryArgs() []string {
	args := []string{fmt.Sprintf("-test.timeout=%v", f.timeout)}
	if f.verbose {
		args = append(args, "-test.v")
	}
	f.set.Visit(func(g *flag.Flag) {
		if slices.Contains(passed, g.Name) {
			args = append(args, "-test."+g.Name+"="+g.Value.String())
		}
	})
	return args
}

func newTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test [FLAGS] [PACKAGES] [-- ARGUMENT...]",
		Short: "Run the tests of packages on an emulated board, like 'go test'",
		Long: `test builds the test binary of each package into an image, boots it in QEMU, and
reports as 'go test' does, with its exit status. Any package will do, also of
other modules; tests that need files or other programs fail there, unless they
skip. Packages are named as for the go command; the default is the current one.

Flags are those of go test, with one dash or two:

  -run -skip -bench -benchtime -benchmem -count -cpu -failfast -list
  -parallel -short -shuffle -v
        as 'go help testflag' has them
  -timeout 10m
        ends a package's tests after so long; 0 for never
  -tags TAGS
        build tags in addition to the board's

and of the machine:

  -board NAME
        board to build for (default ` + boards.Default + `)
  -env KEY=VALUE
        for the test's environment; may be repeated
  -network=false
        no network; otherwise the machine has one, on which the host is 10.0.2.2

-race can't be: the race detector needs a 64-bit processor and cgo. Run it on this
machine, with 'go test -race'.`,
		Example: `  ingot test
  ingot test -v -run TestEcho ./...
  ingot test -bench . golang.org/x/crypto/chacha20poly1305`,
		Args:               cobra.ArbitraryArgs,
		DisableFlagParsing: true,
		RunE:               runTest,
	}
}

func runTest(cmd *cobra.Command, args []string) error {
	f := newTestFlags()
	var packages, rest []string
	for len(args) > 0 && args[0] != "--" {
		if err := f.set.Parse(args); err != nil {
			return usageError(cmd, fmt.Errorf("%w; flags of go test that are not listed there make no sense on a board", err))
		}
		// Parse stops at the first word that is no flag, and swallows a "--".
		n := len(args) - f.set.NArg()
		if n > 0 && args[n-1] == "--" {
			args = args[n-1:]
			break
		}
		args = f.set.Args()
		for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			packages, args = append(packages, args[0]), args[1:]
		}
	}
	if len(args) > 0 {
		rest = args[1:]
	}
	switch {
	case f.help:
		return cmd.Help()
	case f.race:
		return usageError(cmd, errors.New("-race: the race detector needs a 64-bit processor and cgo, which a board's images have not; use 'go test -race' on this machine"))
	case f.timeout < 0:
		return usageError(cmd, fmt.Errorf("-timeout %v: give a positive time, or 0 for never", f.timeout))
	}
	if f.chdir != "" {
		if err := os.Chdir(f.chdir); err != nil {
			return err
		}
	}
	board, err := boards.ByName(f.board)
	if err != nil {
		return err
	}
	opt := image.Options{Board: f.board, Go: os.Getenv("GO")}
	if f.tags != "" {
		opt.Tags = strings.Split(f.tags, ",")
	}
	if packages, err = listPackages(cmd.Context(), opt, board, packages); err != nil {
		return err
	}
	limit := time.Duration(0)
	if f.timeout > 0 {
		limit = f.timeout + time.Minute // the binary's own comes first and says where it was
	}
	err = devtest.Run(cmd.Context(), devtest.Options{
		Packages: packages,
		Image:    opt,
		Args:     append(f.binaryArgs(), rest...),
		Verbose:  f.verbose,
		Timeout:  limit,
		Machine:  qemu.Config{Env: f.env, Network: f.network},
		Out:      cmd.OutOrStdout(),
	})
	if errors.Is(err, devtest.ErrFailed) {
		return &ExitError{Code: ExitFailure}
	}
	return err
}

// listPackages resolves patterns like ./... as the go command does for the board.
func listPackages(ctx context.Context, opt image.Options, board boards.Board, patterns []string) ([]string, error) {
	gocmd := opt.Go
	if gocmd == "" {
		gocmd = "go"
	}
	list := exec.CommandContext(ctx, gocmd, append([]string{"list", "-tags", strings.Join(append([]string{board.Name}, opt.Tags...), ","), "--"}, patterns...)...)
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+board.GOARCH, "CGO_ENABLED=0")
	if board.GOARM != "" {
		list.Env = append(list.Env, "GOARM="+board.GOARM)
	}
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	found := strings.Fields(string(out))
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no packages", strings.Join(patterns, " "))
	}
	return found, nil
}
