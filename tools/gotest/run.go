package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"ingot.dev/qemu"
)

// maxOutput is more than any program prints, by far.
const maxOutput = 16 << 20

// errHangs says that a program was still running when its time was up.
var errHangs = errors.New("hangs")

// try builds and runs a program. Its error says why it does not pass.
func try(ctx context.Context, tc *toolchain, p program, limit time.Duration) error {
	temp, err := os.MkdirTemp("", "ingot-gotest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	b := &builder{toolchain: tc, p: p, temp: temp}
	image, err := b.build(ctx)
	if err != nil {
		return err
	}
	output, err := b.boot(ctx, image, limit)
	if err != nil {
		return err
	}
	if p.recipe.action == "runoutput" {
		if image, err = b.buildOutput(ctx, output); err != nil {
			return err
		}
		if output, err = b.boot(ctx, image, limit); err != nil {
			return err
		}
	}
	return checkOutput(p, output)
}

// boot runs an image to its end and returns what it printed. An exit status
// other than 0 is an error.
func (b *builder) boot(ctx context.Context, image string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(limit, func() { cancel(fmt.Errorf("%w: still running after %v", errHangs, limit)) })
	defer timer.Stop()
	console := &outputBuffer{overflow: func() { cancel(fmt.Errorf("%w: printed %d bytes and went on", errHangs, maxOutput)) }}
	// A process has a PATH anywhere, also where it names no directory.
	cfg := qemu.Config{Image: image, Board: b.board.Name, Args: b.p.arguments(), Env: []string{"PATH=/bin"}, Console: console}
	if b.p.recipe.godebug != "" {
		cfg.Env = append(cfg.Env, "GODEBUG="+b.p.recipe.godebug)
	}
	m, err := qemu.Start(ctx, cfg)
	if err != nil {
		return "", err
	}
	defer m.Stop()
	code, err := m.Wait()
	if err == nil && code != 0 {
		err = fmt.Errorf("exit status %d", code)
	}
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errHangs) {
			err = cause // not only that QEMU was stopped
		}
		return "", fmt.Errorf("%w; %s", err, m.ConsoleTail())
	}
	return programOutput(console.buf.String()), nil
}

// programOutput undoes what the kernel's console did to a program's output: a
// carriage return was added before each newline.
func programOutput(console string) string { return strings.ReplaceAll(console, "\r\n", "\n") }

// checkOutput compares a program's output with that of its .out file. Without
// such a file, programs print nothing.
func checkOutput(p program, got string) error {
	file := strings.TrimSuffix(p.file(), ".go") + ".out"
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	want := string(b)
	if got == want {
		return nil
	}
	if err != nil {
		return fmt.Errorf("it should print nothing, but prints:\n%s", shorten(got))
	}
	return fmt.Errorf("output is not that of %s: %s", file, difference(got, want))
}

// difference shows the first line in which two different texts differ.
func difference(got, want string) string {
	g, w := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
	for i := 0; ; i++ {
		switch {
		case i == len(g):
			return fmt.Sprintf("ends before line %d, want %q", i+1, w[i])
		case i == len(w):
			return fmt.Sprintf("line %d is too much: %q", i+1, g[i])
		case g[i] != w[i]:
			return fmt.Sprintf("line %d is %q, want %q", i+1, g[i], w[i])
		}
	}
}

// shorten keeps the first lines of a text.
func shorten(s string) string {
	const most = 20
	lines := strings.SplitAfterN(s, "\n", most+1)
	if len(lines) <= most {
		return s
	}
	return strings.Join(lines[:most], "") + "..."
}

// An outputBuffer keeps the first maxOutput bytes written to it.
type outputBuffer struct {
	buf      bytes.Buffer
	overflow func() // called when there are more
}

func (b *outputBuffer) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > maxOutput {
		b.overflow()
		return len(p), nil
	}
	return b.buf.Write(p)
}
