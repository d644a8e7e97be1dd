package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A builder makes the image of one program.
type builder struct {
	*toolchain
	p    program
	temp string // its own directory
}

// build makes temp/image.elf as the program's recipe says. For runoutput that
// is the first of two programs, see buildOutput.
func (b *builder) build(ctx context.Context) (string, error) {
	switch r := b.p.recipe; {
	case r.goexperiment != "":
		return "", fmt.Errorf("gotest doesn't build with GOEXPERIMENT=%s", r.goexperiment)
	case r.action == "run", r.action == "buildrun", r.action == "runoutput":
		return b.buildFiles(ctx)
	case r.action == "rundir", r.action == "errorcheckandrundir":
		return b.buildPackages(ctx)
	case r.action == "buildrundir":
		return b.buildDirectory(ctx)
	default:
		return "", fmt.Errorf("gotest doesn't build %s", r.action)
	}
}

// split divides a recipe's arguments as go run does: leading Go files belong to
// the program, the rest are its arguments. The files are relative to root.
func (p program) split() (files, args []string) {
	args = p.recipe.args
	files = []string{p.file()}
	for len(args) > 0 && strings.HasSuffix(args[0], ".go") {
		files = append(files, filepath.Join(p.root, args[0]))
		args = args[1:]
	}
	return files, args
}

// arguments returns what to pass to the program when it runs.
func (p program) arguments() []string {
	if p.recipe.action == "buildrun" {
		return p.recipe.args // there they are all the program's
	}
	_, args := p.split()
	return args
}

// buildFiles makes an image of the files of one package.
func (b *builder) buildFiles(ctx context.Context) (string, error) {
	flags := b.p.recipe.flags
	if b.p.recipe.action == "runoutput" {
		flags = nil // they are for the compiler's check of the output
	}
	flags, err := compilerFlags(flags)
	if err != nil {
		return "", err
	}
	files, _ := b.p.split()
	return b.buildMain(ctx, flags, files)
}

// buildOutput makes an image of what the first program printed.
func (b *builder) buildOutput(ctx context.Context, source string) (string, error) {
	file := filepath.Join(b.temp, "output.go")
	if err := os.WriteFile(file, []byte(source), 0o666); err != nil {
		return "", err
	}
	return b.buildMain(ctx, nil, []string{file})
}

func (b *builder) buildMain(ctx context.Context, flags, files []string) (string, error) {
	cfg, err := b.writeImportcfg(nil)
	if err != nil {
		return "", err
	}
	board, err := b.writeBoardImport()
	if err != nil {
		return "", err
	}
	args := append([]string{"-p=main", "-importcfg", cfg, "-o", "main.a"}, flags...)
	args = append(args, files...)
	if err := b.compile(ctx, b.temp, append(args, board)...); err != nil {
		return "", err
	}
	return b.linkImage(ctx, cfg, "main.a")
}

// buildPackages compiles each package of the program's directory; the last one
// is the program.
func (b *builder) buildPackages(ctx context.Context) (string, error) {
	dir := b.p.dir()
	packages, err := sourcePackages(dir, b.p.recipe.onePerFile)
	if err != nil {
		return "", err
	}
	cfg, err := b.writeImportcfg(packages)
	if err != nil {
		return "", err
	}
	board, err := b.writeBoardImport()
	if err != nil {
		return "", err
	}
	for _, f := range b.p.recipe.flags {
		if f == "-ldflags" {
			return "", fmt.Errorf("gotest doesn't know linker flags")
		}
	}
	last := len(packages) - 1
	if packages[last].name != "main" {
		return "", fmt.Errorf("the last package of %s is %s, not main", dir, packages[last].name)
	}
	for i, p := range packages {
		args := []string{"-e", "-D", "test", "-importcfg", cfg, "-p", p.path(), "-o", p.path() + ".a"}
		args = append(args, b.p.recipe.flags...)
		for _, f := range p.files {
			args = append(args, filepath.Join(dir, f))
		}
		if i == last {
			args = append(args, board)
		}
		if err := os.MkdirAll(filepath.Join(b.temp, path.Dir(p.path())), 0o777); err != nil {
			return "", err
		}
		err := b.compile(ctx, b.temp, args...)
		if err != nil && !(b.p.recipe.lastButOneFails && i == last-1) {
			return "", err
		}
	}
	return b.linkImage(ctx, cfg, "main.a")
}

// buildDirectory makes an image of all the Go and assembly files of the
// program's directory, which are one package.
func (b *builder) buildDirectory(ctx context.Context) (string, error) {
	gos, err := filepath.Glob(filepath.Join(b.p.dir(), "*.go"))
	if err != nil {
		return "", err
	}
	asms, err := filepath.Glob(filepath.Join(b.p.dir(), "*.s"))
	if err != nil {
		return "", err
	}
	cfg, err := b.writeImportcfg(nil)
	if err != nil {
		return "", err
	}
	board, err := b.writeBoardImport()
	if err != nil {
		return "", err
	}
	args := []string{"-p=main", "-e", "-D", ".", "-importcfg", cfg, "-o", "main.a"}
	if len(asms) > 0 {
		// The assembler first lists the functions that it will define;
		// then the compiler writes the header that the assembler needs.
		if err := os.WriteFile(filepath.Join(b.temp, "go_asm.h"), nil, 0o666); err != nil {
			return "", err
		}
		if err := b.assemble(ctx, b.temp, append([]string{"-p=main", "-gensymabis", "-o", "symabis"}, asms...)...); err != nil {
			return "", err
		}
		args = append(args, "-asmhdr", "go_asm.h", "-symabis", "symabis")
	}
	if err := b.compile(ctx, b.temp, append(append(args, gos...), board)...); err != nil {
		return "", err
	}
	if len(asms) > 0 {
		if err := b.assemble(ctx, b.temp, append([]string{"-p=main", "-I", ".", "-o", "asm.o"}, asms...)...); err != nil {
			return "", err
		}
		if err := b.pack(ctx, b.temp, "main.a", "asm.o"); err != nil {
			return "", err
		}
	}
	return b.linkImage(ctx, cfg, "main.a")
}

func (b *builder) linkImage(ctx context.Context, cfg, object string) (string, error) {
	image := filepath.Join(b.temp, "image.elf")
	return image, b.link(ctx, b.temp, image, cfg, object)
}

// writeImportcfg writes the list of compiled packages, with those that the
// program adds.
func (b *builder) writeImportcfg(packages []*sourcePackage) (string, error) {
	cfg := b.importcfg
	for _, p := range packages {
		cfg += fmt.Sprintf("packagefile %s=%s\n", p.path(), filepath.Join(b.temp, p.path()+".a"))
	}
	file := filepath.Join(b.temp, "importcfg")
	return file, os.WriteFile(file, []byte(cfg), 0o666)
}

// writeBoardImport writes the file that brings kernel and board into the
// program's main package.
func (b *builder) writeBoardImport() (string, error) {
	file := filepath.Join(b.temp, "ingot_imports_board.go")
	return file, os.WriteFile(file, []byte(fmt.Sprintf("package main\n\nimport _ %q\n", boardPackage)), 0o666)
}
