package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A suite is a package whose tests are to pass on the board.
type suite struct {
	pkg string
	// share is the part of its tests, in percent, that has to run there.
	share int
}

// A virtual test runs by a clock that counts instructions and skips the time in which
// nothing is to be done.
type virtual struct {
	pkg, test, env string
	says           *regexp.Regexp // what it prints if env had its effect; shown
}

var virtuals = []virtual{
	// 100 connections through a relay on the board, over bad links that are on the
	// board as well, for ten minutes.
	{"ingot.dev/firmware/relay", "TestBadWires", "INGOT_RELAY_SOAK=10m", regexp.MustCompile(`100 connections.* in 10m0s`)},
	// What it may cost is the test's own matter.
	{"ingot.dev/firmware/status", "TestRefreshCost", "INGOT_STATUS_COST=1", regexp.MustCompile(`a refresh takes .*`)},
}

// The longest come first, so that nothing is left to run alone at the end.
var suites = []suite{
	{"ingot.dev/tlsio", 80},
	{"ingot.dev/tlsio/server", 80},
	{"ingot.dev/tlsio/jsonmsg", 80},
	{"ingot.dev/certs", 50},
	{"ingot.dev/net/netstack", 90},
	{"ingot.dev/qemu/selftest", 5}, // all that there is; the host's tests boot it
	{"ingot.dev/board/driver/enet", 90},
	{"ingot.dev/board/nic/nictest", 90},
	{"ingot.dev/internal/simnet", 80},
	{"ingot.dev/tlsio/layers", 80},
	{"ingot.dev/tlsio/ntp", 80},
	{"ingot.dev/tlsio/resolver", 80},
	{"ingot.dev/firmware", 30},                    // the others are about the hosted one
	{"ingot.dev/internal/armcrypto/chacha20", 90}, // the processor's: the host has no such tests
	{"ingot.dev/internal/armcrypto/poly1305", 90},
	{"ingot.dev/internal/armcrypto/sha256", 90},
	{"ingot.dev/internal/armcrypto/sha512", 90},
	{"ingot.dev/internal/armcrypto/fiat", 90},
	{"ingot.dev/internal/armcrypto/field", 90},
	// The standard library's, of which images have a part without old processors.
	{"internal/runtime/atomic", 90},
	{"sync/atomic", 80},
	{"ingot.dev/net/link", 90},
	{"ingot.dev/net/dhcp4", 90},
	{"ingot.dev/net/dns", 90},
	{"ingot.dev/net/inet", 50},
	{"ingot.dev/net/sntp", 90},
	{"ingot.dev/board/driver/wdog", 90},
	{"ingot.dev/kernel/bootparam", 90},
	{"ingot.dev/kernel/layout", 50},
}

// limit is for one package, and far beyond what any takes.
const limit = 15 * time.Minute

func main() {
	ingot := flag.String("ingot", "build/ingot", "the `command`")
	verbose := flag.Bool("v", false, "show everything that the tests print")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *ingot, *verbose, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		stop()
		os.Exit(1)
	}
}

// errFailed says that there were failures, which have been shown.
var errFailed = errors.New("not all of the tests that should pass on the board did")

func run(ctx context.Context, ingot string, verbose bool, out io.Writer) error {
	names := make([]string, len(suites))
	for i, s := range suites {
		names[i] = s.pkg
	}
	written, err := count(ctx, names)
	if err != nil {
		return err
	}
	results, err := test(ctx, ingot, []string{"-short", "-timeout", limit.String()}, names, verbose, out)
	if err == nil || errors.Is(err, errFailed) {
		err = errors.Join(err, judge(results, written, out))
	}
	if err != nil {
		return err
	}
	for _, v := range virtuals {
		// Two hours of that clock.
		results, err := test(ctx, ingot, []string{"-icount", "-env", v.env, "-run=^" + v.test + "$", "-timeout=2h", "-v"}, []string{v.pkg}, verbose, out)
		if err != nil {
			return err
		}
		said := ""
		if r := results[v.pkg]; r != nil && r.passed == 1 {
			said = v.says.FindString(r.output.String())
		}
		if said == "" {
			return fmt.Errorf("%s: %s did not run as it should with %s", v.pkg, v.test, v.env)
		}
		fmt.Fprintln(out, said)
	}
	return nil
}

// test runs "ingot test" and says how it went. The error is errFailed if not well.
func test(ctx context.Context, ingot string, flags, packages []string, verbose bool, out io.Writer) (map[string]*result, error) {
	// Package vet has been over all of it ("make vet").
	cmd := exec.CommandContext(ctx, ingot, slices.Concat([]string{"test", "-json", "-vet=off", "-count=1"}, flags, packages)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w; 'make board' builds it", err)
	}
	results, scanErr := read(events, verbose, out)
	if err := cmd.Wait(); err != nil || scanErr != nil {
		return results, errors.Join(errFailed, err, scanErr)
	}
	return results, nil
}

var testFunc = regexp.MustCompile(`(?m)^func (Test|Fuzz)[^a-z(]\w*\(`)

// count returns how many tests and fuzz targets packages have on the host. One that is
// not built for the board counts as one that is skipped there.
func count(ctx context.Context, packages []string) (map[string]int, error) {
	list, err := exec.CommandContext(ctx, cmpOr(os.Getenv("GO"), "go"), slices.Concat([]string{"list", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles"}, packages)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	n := map[string]int{}
	for d := json.NewDecoder(bytes.NewReader(list)); d.More(); {
		var p struct {
			ImportPath, Dir           string
			TestGoFiles, XTestGoFiles []string
		}
		if err := d.Decode(&p); err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			b, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			n[p.ImportPath] += len(testFunc.FindAll(b, -1))
		}
	}
	return n, nil
}

// An event is what "go test -json" prints, see go doc test2json.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// A result is how the tests of a package ended, those within tests not counted, nor
// examples.
type result struct {
	passed, failed int
	skipped        []string // names, with reasons
	ended          string   // pass, fail or skip; nothing if it didn't
	output         strings.Builder
}

// read follows the tests of all packages. It shows one line for each package, and
// the output of what failed.
func read(events io.Reader, verbose bool, out io.Writer) (map[string]*result, error) {
	results := map[string]*result{}
	// What tests printed, by package and test; dropped when they pass.
	printed := map[[2]string]*strings.Builder{}
	scan := bufio.NewScanner(events)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var e event
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil || e.Package == "" {
			// Of a build; a package that could not be built says so below.
			if e.Output != "" || err != nil {
				fmt.Fprint(out, cmpOr(e.Output, scan.Text()+"\n"))
			}
			continue
		}
		r := results[e.Package]
		if r == nil {
			r = &result{}
			results[e.Package] = r
		}
		top, _, _ := strings.Cut(e.Test, "/")
		key := [2]string{e.Package, top}
		if e.Action == "output" {
			if verbose {
				fmt.Fprint(out, e.Output)
			}
			if printed[key] == nil {
				printed[key] = &strings.Builder{}
			}
			printed[key].WriteString(e.Output)
			r.output.WriteString(e.Output)
			continue
		}
		if e.Action != "pass" && e.Action != "fail" && e.Action != "skip" {
			continue
		}
		text := ""
		if b := printed[key]; b != nil {
			text = b.String()
		}
		switch {
		case e.Test == "":
			r.ended = e.Action
			if e.Action == "fail" && !verbose {
				// What was begun and did not end has its output still here.
				for _, k := range slices.SortedFunc(maps.Keys(printed), func(a, b [2]string) int { return strings.Compare(a[1], b[1]) }) {
					if k[0] == e.Package {
						fmt.Fprint(out, printed[k])
					}
				}
			}
			fmt.Fprintf(out, "%s %s (%.0f s): %d passed, %d failed, %d skipped\n", e.Action, e.Package, e.Elapsed, r.passed, r.failed, len(r.skipped))
		case strings.Contains(e.Test, "/"):
			continue
		case e.Action == "pass" && strings.HasPrefix(e.Test, "Example"):
		case e.Action == "pass":
			r.passed++
		case e.Action == "fail":
			r.failed++
			if !verbose {
				fmt.Fprint(out, text)
			}
		case e.Action == "skip":
			r.skipped = append(r.skipped, e.Test+reason(text))
		}
		delete(printed, key)
	}
	return results, scan.Err()
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// reason is what a skipped test printed of itself.
func reason(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return " (" + line + ")"
		}
	}
	return ""
}

// judge says which packages had too little run.
func judge(results map[string]*result, written map[string]int, out io.Writer) error {
	var failed error
	for _, s := range suites {
		r := results[s.pkg]
		if r == nil || r.ended != "pass" || r.failed > 0 {
			fmt.Fprintf(out, "%s did not pass\n", s.pkg)
			failed = errFailed
			continue
		}
		ran, all := r.passed, written[s.pkg]
		if ran == 0 || ran*100 < all*s.share {
			fmt.Fprintf(out, "%s: only %d of %d tests ran, want %d %% at least; skipped:\n\t%s\n", s.pkg, ran, all, s.share, strings.Join(r.skipped, "\n\t"))
			failed = errFailed
		}
	}
	return failed
}
