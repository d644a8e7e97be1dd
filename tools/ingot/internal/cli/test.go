package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
	"ingot.dev/tools/ingot/internal/devtest"
)

// testFlags are test's. They are parsed by package flag, so that they can be typed as
// for go test: with one dash or two, and among the packages.
type testFlags struct {
	board, tags, chdir string
	network, help      bool
	icount             bool
	noASM              bool
	env                listFlag

	// What go test is given, as it was typed.
	forGo []string
	// Whether output comes as it is printed, so that nothing should be written
	// in between. So it is for the current package, too, if none is named.
	streams bool

	set *flag.FlagSet
}

type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, " ") }
func (l *listFlag) Set(s string) error { *l = append(*l, s); return nil }

// The flags of go test that go to it: those that stand alone, which is to say that a
// value needs "=", and those with a value. "go help test" and "go help testflag" have
// them.
var (
	goTestBools  = []string{"a", "benchmem", "failfast", "fullpath", "json", "n", "short", "v", "work", "x"}
	goTestValues = []string{"bench", "benchtime", "count", "cpu", "list", "mod", "p", "parallel", "run", "shuffle", "skip", "timeout", "vet"}
)

// refused are the others, with the reason why not.
var refused = []struct {
	names []string
	why   string
}{
	{[]string{"race"}, "the race detector needs a 64-bit processor and cgo, which a board's images have not; use 'go test -race' on this machine"},
	{[]string{"asan", "msan"}, "sanitizers need cgo, which a board's images have not"},
	{[]string{"cover", "covermode", "coverpkg", "coverprofile"}, "coverage is counted in files, and a board has none; use 'go test -cover' on this machine"},
	{[]string{"artifacts", "blockprofile", "blockprofilerate", "cpuprofile", "memprofile", "memprofilerate", "mutexprofile", "mutexprofilefraction", "outputdir", "trace"}, "profiles, traces and artifacts are files, and a board has none to write; use 'go test' on this machine, and 'ingot bench' for what a firmware costs"},
	{[]string{"fuzz", "fuzzminimizetime", "fuzztime"}, "a fuzzer starts processes, and a board has one; use 'go test -fuzz' on this machine. What fuzz targets have as seeds is tested here too"},
	{[]string{"c", "o"}, "test binaries are run here, not kept"},
	{[]string{"exec"}, "what runs the test binaries is QEMU"},
	{[]string{"asmflags", "buildmode", "buildvcs", "compiler", "gccgoflags", "gcflags", "installsuffix", "ldflags", "linkshared", "modfile", "overlay", "pgo", "pkgdir", "toolexec", "trimpath"}, "how an image is built is the board's matter"},
}

// passedFlag is a flag that goes to go test.
type passedFlag struct {
	f    *testFlags
	name string
	bool bool
}

func (p passedFlag) String() string   { return "" }
func (p passedFlag) IsBoolFlag() bool { return p.bool }
func (p passedFlag) Set(value string) error {
	p.f.forGo = append(p.f.forGo, "-"+p.name+"="+value)
	if off := p.bool && (value == "false" || value == "0"); !off {
		switch p.name {
		case "v", "json", "bench", "x", "n":
			p.f.streams = true
		}
	}
	return nil
}

// refusedFlag is one that goes nowhere.
type refusedFlag string

func (r refusedFlag) String() string   { return "" }
func (r refusedFlag) IsBoolFlag() bool { return true } // whatever follows, it isn't reached
func (r refusedFlag) Set(string) error { return errors.New(string(r)) }

func newTestFlags() *testFlags {
	f := &testFlags{set: flag.NewFlagSet("test", flag.ContinueOnError)}
	s := f.set
	s.SetOutput(io.Discard)
	s.Usage = func() {}
	s.StringVar(&f.board, "board", boards.Default, "")
	s.StringVar(&f.tags, "tags", "", "")
	s.StringVar(&f.chdir, "C", "", "")
	s.StringVar(&f.chdir, "chdir", "", "")
	s.BoolVar(&f.network, "network", true, "")
	s.BoolVar(&f.icount, "icount", false, "")
	s.BoolVar(&f.noASM, "no-arm-asm", false, "")
	s.BoolVar(&f.help, "h", false, "")
	s.BoolVar(&f.help, "help", false, "")
	s.Var(&f.env, "env", "")
	for _, name := range goTestBools {
		s.Var(passedFlag{f, name, true}, name, "")
	}
	for _, name := range goTestValues {
		s.Var(passedFlag{f, name, false}, name, "")
	}
	for _, r := range refused {
		for _, name := range r.names {
			s.Var(refusedFlag(r.why), name, "")
		}
	}
	return f
}

// parse takes the command line apart: flags, packages, and after "-args" or "--" what
// is for the tests themselves.
func (f *testFlags) parse(args []string) (packages, rest []string, err error) {
	for len(args) > 0 {
		switch args[0] {
		case "-args", "--args", "--":
			return packages, args[1:], nil
		}
		if !strings.HasPrefix(args[0], "-") || args[0] == "-" {
			packages, args = append(packages, args[0]), args[1:]
			continue
		}
		// Parse goes on to the next flag, so it gets one at a time: the word, and
		// what follows it if it takes a value.
		n := 1
		if name, _, inWord := strings.Cut(strings.TrimLeft(args[0], "-"), "="); !inWord && len(args) > 1 {
			if known := f.set.Lookup(name); known != nil {
				if b, ok := known.Value.(interface{ IsBoolFlag() bool }); !ok || !b.IsBoolFlag() {
					n = 2
				}
			}
		}
		if err := f.set.Parse(args[:n]); err != nil {
			var why refusedFlag
			name, _, _ := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
			if known := f.set.Lookup(name); known != nil {
				why, _ = known.Value.(refusedFlag)
			}
			if why != "" {
				return nil, nil, fmt.Errorf("-%s: %s", name, string(why))
			}
			return nil, nil, fmt.Errorf("%w; flags of the tests' own stand behind -args", err)
		}
		args = args[n:]
	}
	return packages, nil, nil
}

func newTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test [FLAGS] [PACKAGES] [-args ARGUMENT...]",
		Short: "Run the tests of packages on an emulated board, like 'go test'",
		Long: `test builds the test binary of each package into an image, boots it in QEMU, and
reports as 'go test' does, with its exit status: it is 'go test' that does so. Any
package will do, also of other modules and of the standard library. Packages
are named as for the go command; the default is the current one. As many images are
built and booted side by side as there are processors.

Flags are those of go test, with one dash or two:

  -run -skip -bench -benchtime -benchmem -count -cpu -failfast -fullpath -json
  -list -parallel -short -shuffle -timeout -v -vet
        as 'go help testflag' has them
  -tags TAGS
        build tags in addition to the board's
  -p N
        as many packages at a time; each machine may take all of a board's memory
  -a -mod -n -work -x
        as 'go help build' has them

and of the machine:

  -board NAME
        board to build for (default ` + boards.Default + `)
  -env KEY=VALUE
        for the test's environment; may be repeated
  -network=false
        no network; otherwise the machine has one, on which the host is 10.0.2.2
  -icount
        one nanosecond of the machine's time per instruction, and none spent idle:
        a test of hours may end in minutes. -timeout is of this time too
  -no-arm-asm
        with the standard library's portable cryptography, as 'ingot build' has it

-race can't be: the race detector needs a 64-bit processor and cgo. Neither can what
writes files or starts processes: -cover, profiles, -fuzz. Run these on this machine,
with 'go test'.

A test that needs files or other programs fails on a board, unless it skips.`,
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
	packages, rest, err := f.parse(args)
	if f.help {
		return cmd.Help()
	}
	if err != nil {
		return usageError(cmd, err)
	}
	if f.chdir != "" {
		if err := os.Chdir(f.chdir); err != nil {
			return err
		}
	}
	self, err := ownPath()
	if err != nil {
		return err
	}
	opt := devtest.Options{
		Image:   image.Options{Package: packages, Board: f.board, NoARMAsm: f.noASM, Go: os.Getenv("GO")},
		Flags:   f.forGo,
		Args:    rest,
		Env:     f.env,
		Network: f.network,
		Exec:    []string{self, testBootName},
		Out:     cmd.OutOrStdout(),
		Err:     cmd.ErrOrStderr(),
	}
	if f.icount {
		opt.ICount = qemu.ICountDeterministic
	}
	if f.tags != "" {
		opt.Image.Tags = strings.Split(f.tags, ",")
	}
	if p := newProgress(cmd); p.terminal != nil && !f.streams && len(packages) > 0 {
		defer p.end()
		opt.Out, opt.Err = p.around(opt.Out), p.around(opt.Err)
		start := time.Now()
		opt.Watch = func(running []string) {
			what := "Building"
			if len(running) > 0 {
				what = "Running " + strings.Join(running, ", ")
			}
			p.show(fmt.Sprintf("%s ... %d s", what, int(time.Since(start)/time.Second)))
		}
	}
	err = devtest.Run(cmd.Context(), opt)
	if failed := (*devtest.FailedError)(nil); errors.As(err, &failed) {
		return &ExitError{Code: failed.Code}
	}
	return err
}

// ownPath is the path of this program under the name by which it was called.
func ownPath() (string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return os.Executable()
	}
	return filepath.Abs(path)
}

const testBootName = "test-boot"

// newTestBootCommand is what go test calls to have a test binary run.
func newTestBootCommand() *cobra.Command {
	return &cobra.Command{
		Use:                testBootName + " IMAGE [FLAG...]",
		Short:              "Run a test binary for 'ingot test'",
		Long:               "test-boot is the program of -exec in what 'ingot test' has 'go test' do.",
		Hidden:             true,
		Args:               cobra.ArbitraryArgs,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := devtest.Boot(cmd.Context(), args, cmd.OutOrStdout())
			if err == nil && code != 0 {
				err = &ExitError{Code: code}
			}
			return err
		},
	}
}
