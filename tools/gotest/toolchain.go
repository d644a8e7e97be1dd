package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"ingot.dev/board/boards"
)

// boardPackage is what makes a program an image, see package tools/image.
const boardPackage = "ingot.dev/board"

// A toolchain compiles and links for a board.
type toolchain struct {
	board   boards.Board
	goroot  string
	version string // as go1.26.8
	tools   string // directory of compile, link and asm
	tags    []string

	// importcfg names the compiled packages, in the form that compiler and
	// linker read, once compilePackages is done.
	importcfg string
}

// newToolchain asks the go command in PATH about itself.
func newToolchain(ctx context.Context, board boards.Board) (*toolchain, error) {
	tc := &toolchain{board: board}
	var env struct{ GOROOT, GOVERSION, GOTOOLDIR string }
	out, err := tc.target(ctx, "", "go", "env", "-json", "GOROOT", "GOVERSION", "GOTOOLDIR")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(out), &env); err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	tc.goroot, tc.version, tc.tools = env.GOROOT, env.GOVERSION, env.GOTOOLDIR
	// Release tags (go1.N) and experiments that are on (goexperiment.X).
	out, err = tc.target(ctx, "", "go", "list", "-f", "{{join context.ReleaseTags \" \"}} {{join context.ToolTags \" \"}}", "runtime")
	if err != nil {
		return nil, err
	}
	tc.tags = strings.Fields(out)
	return tc, nil
}

// tag reports whether a build constraint's tag holds for the target.
func (tc *toolchain) tag(name string) bool {
	switch name {
	case "linux", "unix", tc.board.GOARCH, "gc", "test_run":
		return true
	}
	return slices.Contains(tc.tags, name)
}

// compilePackages compiles what programs may import, and the board.
func (tc *toolchain) compilePackages(ctx context.Context, importable ...string) error {
	// With -trimpath and the board's tag as package tools/image does, so
	// that both find the same packages in the build cache.
	args := []string{"list", "-deps", "-export", "-trimpath", "-tags", tc.board.Name,
		"-f", "{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}", boardPackage}
	out, err := tc.target(ctx, "", "go", append(args, importable...)...)
	if err != nil {
		return err
	}
	tc.importcfg = strings.TrimSpace(out) + "\n"
	return nil
}

// compile runs the compiler.
func (tc *toolchain) compile(ctx context.Context, dir string, args ...string) error {
	_, err := tc.target(ctx, dir, filepath.Join(tc.tools, "compile"), args...)
	return err
}

// assemble runs the assembler.
func (tc *toolchain) assemble(ctx context.Context, dir string, args ...string) error {
	_, err := tc.target(ctx, dir, filepath.Join(tc.tools, "asm"), args...)
	return err
}

// pack adds an object to an archive. The toolchain comes without this tool
// built; the go command builds it, for the host.
func (tc *toolchain) pack(ctx context.Context, dir, archive, object string) error {
	_, err := command(ctx, dir, nil, "go", "tool", "pack", "r", archive, object)
	return err
}

// link links an image.
func (tc *toolchain) link(ctx context.Context, dir, output, importcfg string, object string) error {
	args := append([]string{"-s", "-w", "-buildid=test", "-importcfg", importcfg, "-o", output}, tc.board.LinkFlags()...)
	_, err := tc.target(ctx, dir, filepath.Join(tc.tools, "link"), append(args, object)...)
	return err
}

// target runs a tool for the board's target.
func (tc *toolchain) target(ctx context.Context, dir, name string, args ...string) (string, error) {
	env := []string{"GOOS=linux", "GOARCH=" + tc.board.GOARCH, "CGO_ENABLED=0"}
	if tc.board.GOARM != "" {
		env = append(env, "GOARM="+tc.board.GOARM)
	}
	return command(ctx, dir, env, name, args...)
}

// command runs a program with additions to the environment and returns its
// standard output. The error has all that it printed.
func command(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		// The compiler reports on standard output.
		text := strings.TrimSpace(stdout.String() + stderr.String())
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, text)
	}
	return stdout.String(), nil
}
