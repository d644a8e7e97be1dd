package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"ingot.dev/board/boards"
	"ingot.dev/qemu"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // some program failed
	exitError  = 2 // the tests could not be run
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("gotest", flag.ContinueOnError)
	flags.SetOutput(stderr)
	pattern := flags.String("run", "", "run only the programs whose name matches `regexp`")
	jobs := flags.Int("j", runtime.NumCPU(), "how many programs to build and run at a time")
	list := flags.Bool("list", false, "list the programs and what would be done with them, and run none")
	dir := flags.String("dir", "", "the toolchain's test `directory` (default GOROOT/test)")
	boardName := flags.String("board", boards.Default, "the `board` to emulate")
	limit := flags.Duration("timeout", 5*time.Minute, "the `time` that a program may run")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitError
	case flags.NArg() > 0 || *jobs < 1:
		fmt.Fprintln(stderr, "gotest: there are no arguments but flags, and -j is at least 1")
		return exitError
	}
	fail := func(err error) int {
		fmt.Fprintln(stderr, "gotest:", err)
		return exitError
	}
	selected, err := regexp.Compile(*pattern)
	if err != nil {
		return fail(fmt.Errorf("-run: %w", err))
	}
	board, err := boards.ByName(*boardName)
	if err != nil {
		return fail(err)
	}
	exceptions, err := parseExceptions(exceptionsText)
	if err != nil {
		return fail(fmt.Errorf("exceptions.txt: %w", err))
	}
	tc, err := newToolchain(ctx, board)
	if err != nil {
		return fail(err)
	}
	root, err := testDirectory(*dir, tc)
	if err != nil {
		return fail(err)
	}
	programs, err := findPrograms(root, tc.tag)
	if err != nil {
		return fail(err)
	}
	if err := checkExceptions(exceptions, programs); err != nil {
		return fail(fmt.Errorf("exceptions.txt is stale:\n%w", err))
	}
	programs = slices.DeleteFunc(programs, func(p program) bool { return !selected.MatchString(p.name) })
	if len(programs) == 0 {
		return fail(fmt.Errorf("no program's name matches %q", *pattern))
	}
	if *list {
		for _, p := range programs {
			fmt.Fprintln(stdout, describe(p, exceptions))
		}
		return exitOK
	}
	if _, err := qemu.Find(board.Name); err != nil {
		return fail(err)
	}
	start := time.Now()
	fmt.Fprintf(stdout, "%d programs of %s, with %s, on %s\n", len(programs), root, tc.version, board.Title)
	// All of it: programs that programs print may import anything.
	if err := tc.compilePackages(ctx, "std"); err != nil {
		return fail(err)
	}
	fmt.Fprintf(stdout, "packages compiled in %v\n", time.Since(start).Round(time.Second))
	s := suite{
		exceptions: exceptions,
		out:        stdout,
		try:        func(p program) error { return try(ctx, tc, p, max(*limit, p.recipe.limit)) },
	}
	counts := s.run(ctx, programs, *jobs)
	if ctx.Err() != nil {
		return fail(context.Cause(ctx))
	}
	fmt.Fprintf(stdout, "in %v\n", time.Since(start).Round(time.Second))
	for _, name := range slices.Sorted(slices.Values(s.failed)) {
		fmt.Fprintln(stdout, "failed:", name)
	}
	fmt.Fprintln(stdout, counts)
	if counts.failed > 0 {
		return exitFailed
	}
	return exitOK
}

// testDirectory returns the directory of the tests, or an error that says where
// one can be had.
func testDirectory(dir string, tc *toolchain) (string, error) {
	root := dir
	if dir == "" {
		root = filepath.Join(tc.goroot, "test")
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(root); err == nil && info.IsDir() {
		return root, nil
	}
	if dir != "" {
		return "", fmt.Errorf("-dir: %s is not a directory", dir)
	}
	return "", fmt.Errorf("%s comes without its tests: there is no %s. Toolchains that the go command downloads have none; "+
		"name the test directory of an installed Go with -dir (make test-go GOTESTDIR=...)", tc.version, root)
}

// describe says in a line what would be done with a program.
func describe(p program, exceptions map[string]string) string {
	switch reason := exceptions[p.name]; {
	case p.excluded != "":
		return fmt.Sprintf("%s: skipped, %s", p.name, p.excluded)
	case reason != "":
		return fmt.Sprintf("%s: expected to fail, %s", p.name, reason)
	}
	return fmt.Sprintf("%s: %s", p.name, p.recipe.action)
}

// A suite tries programs and tells how it went.
type suite struct {
	exceptions map[string]string
	out        io.Writer
	try        func(program) error

	failed []string // names, set by run
}

// counts of programs by outcome.
type counts struct{ passed, failed, skipped int }

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

// run tries all programs, several at a time, until ctx ends.
func (s *suite) run(ctx context.Context, programs []program, jobs int) counts {
	var mu sync.Mutex // over c, s.out and s.failed
	var c counts
	work := make(chan program)
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			for p := range work {
				start := time.Now()
				o, text := s.one(p)
				if ctx.Err() != nil {
					return // whatever happened is not the program's fault
				}
				mu.Lock()
				switch o {
				case "PASS":
					c.passed++
				case "FAIL":
					c.failed++
					s.failed = append(s.failed, p.name)
				default:
					c.skipped++
				}
				if text != "" {
					text = ": " + text
				}
				done := c.passed + c.failed + c.skipped
				fmt.Fprintf(s.out, "%4d/%d %s %s (%.1fs)%s\n", done, len(programs), o, p.name, time.Since(start).Seconds(), text)
				mu.Unlock()
			}
		})
	}
feed:
	for _, p := range programs {
		select {
		case work <- p:
		case <-ctx.Done():
			break feed
		}
	}
	close(work)
	wg.Wait()
	return c
}

// one tries a program and returns PASS, FAIL or SKIP, and why.
func (s *suite) one(p program) (outcome, text string) {
	if p.excluded != "" {
		return "SKIP", p.excluded
	}
	err := s.try(p)
	reason, excepted := s.exceptions[p.name]
	switch {
	case excepted && err == nil:
		return "FAIL", fmt.Sprintf("it passes, but exceptions.txt has it: %s", reason)
	case excepted:
		return "SKIP", fmt.Sprintf("%s (%s)", reason, oneLine(err))
	case err != nil:
		return "FAIL", err.Error()
	}
	return "PASS", ""
}

// oneLine is the beginning of an error's text, without newlines.
func oneLine(err error) string {
	const most = 120
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
