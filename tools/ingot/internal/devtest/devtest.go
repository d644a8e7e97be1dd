package devtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// ErrFailed says that tests failed; the report has said which.
var ErrFailed = errors.New("tests failed")

// Options says what to test. Packages and Out are required.
type Options struct {
	// Packages are import paths, without patterns.
	Packages []string
	// Image is how to build; Package, Test and Output are set for each package.
	Image image.Options
	// Args are the flags of the test binaries, as "-test.run=X".
	Args []string
	// Verbose passes on what the tests print as it comes.
	Verbose bool
	// Timeout ends a package's run; zero for never.
	Timeout time.Duration
	// Machine is how to boot; Image, Board, Args and Console are set for each
	// package.
	Machine qemu.Config
	// Out receives the report.
	Out io.Writer
}

// built is an image, or why there is none.
type built struct {
	pkg, file string
	err       error
}

// Run tests all packages. It returns ErrFailed if a test failed, a package didn't
// build, or a machine broke down; the report says which. Other errors are about the
// run as a whole.
func Run(ctx context.Context, o Options) error {
	if _, err := qemu.Find(o.Image.Board); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ingot-test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	images := make(chan built)
	go func() {
		defer close(images)
		for i, pkg := range o.Packages {
			opt := o.Image
			opt.Package, opt.Test, opt.Output = []string{pkg}, true, filepath.Join(dir, fmt.Sprintf("%d.elf", i))
			_, err := image.Build(ctx, opt)
			select {
			case images <- built{pkg, opt.Output, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range images { // the folder is removed when nobody writes to it
		}
	}()
	failed := false
	for b := range images {
		ok, err := o.one(ctx, b)
		if err != nil {
			return err
		}
		failed = failed || !ok
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if failed {
		fmt.Fprintln(o.Out, "FAIL")
		return ErrFailed
	}
	return nil
}

// one runs a package's tests and reports on them. The error is one of writing the
// report, or ctx's.
func (o *Options) one(ctx context.Context, b built) (ok bool, err error) {
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.Is(b.err, image.ErrNoTests):
		_, err = fmt.Fprintf(o.Out, "?   \t%s\t[no test files]\n", b.pkg)
		return true, err
	case b.err != nil:
		_, err = fmt.Fprintf(o.Out, "%v\nFAIL\t%s [build failed]\n", b.err, b.pkg)
		return false, err
	}
	defer os.Remove(b.file)
	var held bytes.Buffer
	cfg := o.Machine
	cfg.Image, cfg.Board, cfg.Args, cfg.Console = b.file, o.Image.Board, o.Args, &held
	if o.Verbose {
		cfg.Console = o.Out
	}
	run := ctx
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		run, cancel = context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("it did not end within %v", o.Timeout))
		defer cancel()
	}
	start := time.Now()
	m, err := qemu.Start(run, cfg)
	code := 0
	if err == nil {
		code, err = m.Wait()
		m.Stop()
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	took := fmt.Sprintf("%.3fs", time.Since(start).Seconds())
	if err == nil && code == 0 {
		// What was printed is shown only of failures, but for benchmarks.
		if !o.Verbose {
			if _, err := o.Out.Write(results(held.Bytes())); err != nil {
				return false, err
			}
		}
		_, err = fmt.Fprintf(o.Out, "ok  \t%s\t%s\n", b.pkg, took)
		return true, err
	}
	if _, err := o.Out.Write(held.Bytes()); err != nil {
		return false, err
	}
	switch {
	case err != nil:
		_, err = fmt.Fprintf(o.Out, "%v\nFAIL\t%s\t%s\n", err, b.pkg, took)
	case code != 1:
		_, err = fmt.Fprintf(o.Out, "exit status %d\nFAIL\t%s\t%s\n", code, b.pkg, took)
	default:
		_, err = fmt.Fprintf(o.Out, "FAIL\t%s\t%s\n", b.pkg, took)
	}
	return false, err
}

// results returns the lines of benchmarks, and of what describes them.
func results(out []byte) []byte {
	var kept bytes.Buffer
	for line := range bytes.Lines(out) {
		for _, prefix := range []string{"Benchmark", "goos: ", "goarch: ", "pkg: ", "cpu: ", "coverage: ", "testing: warning: "} {
			if strings.HasPrefix(string(line), prefix) {
				kept.Write(line)
				break
			}
		}
	}
	return kept.Bytes()
}
