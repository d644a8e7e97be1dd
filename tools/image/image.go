package image

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"ingot.dev/board/boards"
	"ingot.dev/internal/atomicfile"
)

// boardPackage is what an image's main package has to import.
const boardPackage = "ingot.dev/board"

// overlayName is the file that imports it, and overlayTestName the one in a test
// binary. Nobody sees them on disk, but they must not collide with a file of the
// program.
const (
	overlayName     = "ingot_imports_board.go"
	overlayTestName = "ingot_imports_board_test.go"
)

// Errors that Build wraps.
var (
	// ErrNoGo says that there is no Go toolchain.
	ErrNoGo = errors.New("the Go toolchain is not installed")
	// ErrNotMain says that the package is not a program.
	ErrNotMain = errors.New("not a main package")
	// ErrOutput says that the image can't be put where it should go.
	ErrOutput = errors.New("the image can't be written")
	// ErrTooLarge says that the image exceeds the board's budget or its RAM.
	ErrTooLarge = errors.New("image is too large")
)

// Options says what to build. Package and Output are required.
type Options struct {
	// Package is what go build would be given: an import path, a directory
	// starting with "./", or Go files of one directory.
	Package []string

	// Output is the file to write.
	Output string

	// Board is a name from package boards. Empty: boards.Default.
	Board string

	// Tags are build tags in addition to the board's.
	Tags []string

	// Overlay puts files in place of others, or where there are none, for
	// the compiler's eyes only: the key is the absolute path that it sees,
	// the value the file that holds the content, or "" to hide a file. Files
	// that are embedded (go:embed) can be replaced, too: so the certificates
	// of an image can come from another folder. $GOROOT/ before a path is the
	// toolchain's folder.
	Overlay map[string]string

	// Dir is the directory in which the go command runs; its module has to
	// provide ingot.dev. Empty: the current one.
	Dir string

	// Symbols keeps the symbol table and debug information, for profilers
	// and debuggers. Such an image is exempt from the budget.
	Symbols bool

	// NoBudget exempts the image from the budget: for programs that only
	// measure or test, and never go into a board's flash.
	NoBudget bool

	// NoLimits exempts it from the board's RAM, too: for images that are taken
	// apart and never run.
	NoLimits bool

	// Stock compiles the standard library and modules as they are. Otherwise some
	// of their files are changed as the compiler reads them, which makes images
	// smaller (Image.Cuts).
	Stock bool

	// NoARMAsm compiles the standard library's portable cryptography, in place of the
	// assembly of package armcrypto (Image.Assembly). Stock implies it.
	NoARMAsm bool

	// Flags are passed to go build as they are, before the package.
	Flags []string

	// Go is the go command. Empty: "go", from PATH.
	Go string
}

// An Image is a built image.
type Image struct {
	Path   string
	Board  boards.Board
	Size   int64 // of the file, which is what flash holds
	Code   int64 // bytes of machine instructions
	Const  int64 // bytes of read-only data, with the runtime's tables
	Data   int64 // bytes of initialised variables
	Zero   int64 // bytes of zeroed variables; take RAM only when touched
	Budget int64 // the board's limit for Size; zero if exempt

	// Cuts are what was left out of the standard library and of modules; programs
	// that use none of a module do without its cuts.
	Cuts []Cut

	// Assembly are the packages of the standard library in the image that were compiled
	// with assembly of ours, and Portable says why others weren't: empty if all were, or
	// none of them is in the image.
	Assembly []string
	Portable string

	// Folders are those of this machine whose names are in the image: of modules
	// that go.mod replaces by a folder. Elsewhere the same sources give other bytes.
	Folders []string
}

// A Cut is something that the linker would keep for no use to a board.
type Cut struct {
	Module string `json:"module"` // of whose files; empty: the standard library
	Name   string `json:"name"`   // what was cut
}

// RAM is what the image takes of the board's memory before its program has allocated
// anything, in bytes: the kernel promises all of it when it starts the program.
func (im *Image) RAM() int64 { return im.Code + im.Const + im.Data + im.Zero }

// String is one line about the size, for people.
func (im *Image) String() string {
	s := fmt.Sprintf("%s for %s: %s", im.Path, im.Board.Name, megabytes(im.Size))
	if im.Budget != 0 {
		s += fmt.Sprintf(" of %s allowed", megabytes(im.Budget))
	}
	return s + fmt.Sprintf(" (code %s, constants %s, data %s; %s of zeroed variables)",
		megabytes(im.Code), megabytes(im.Const), megabytes(im.Data), megabytes(im.Zero))
}

func megabytes(n int64) string { return fmt.Sprintf("%.2f MB", float64(n)/1e6) }

// Build compiles and links an image. On error the output is not there.
// Errors wrap ErrNoGo, ErrNotMain, ErrOutput or ErrTooLarge, or show what the go command
// printed.
func Build(ctx context.Context, opt Options) (*Image, error) {
	board, err := boards.ByName(opt.Board)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if len(opt.Package) == 0 || opt.Output == "" {
		return nil, errors.New("image: no package or no output file")
	}
	return build(ctx, opt, board)
}

func build(ctx context.Context, opt Options, board boards.Board) (*Image, error) {
	b := builder{opt: opt, board: board}
	output, err := filepath.Abs(opt.Output)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if err := canReplace(output); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	p, err := b.find(ctx)
	if err != nil {
		return nil, err
	}
	if b.stamp, err = buildStamp(os.Getenv("SOURCE_DATE_EPOCH"), filepath.Join(p.dir, "certs", "image"), opt.Overlay, time.Now()); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	temp, err := os.MkdirTemp("", "ingot-image-")
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	defer os.RemoveAll(temp)
	replace, err := b.assembly(ctx, temp)
	if err != nil {
		return nil, err
	}
	if err := b.overlay(ctx, replace); err != nil {
		return nil, err
	}
	overlay, err := writeOverlay(temp, filepath.Join(p.dir, overlayName), p.name, replace)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o777); err != nil {
		return nil, fmt.Errorf("image: %w: %w", ErrOutput, err)
	}
	// Linked elsewhere and put into its place once it is good. An error leaves no
	// stale image that would then be booted.
	os.Remove(output)
	linked := filepath.Join(temp, "image.elf")
	flags, err := b.flags(ctx, temp, overlay)
	if err != nil {
		return nil, err
	}
	args := append([]string{"build", "-o", linked}, flags...)
	args = append(args, opt.Flags...)
	args = append(args, opt.Package...)
	if isFiles(opt.Package) {
		args = append(args, filepath.Join(filepath.Dir(opt.Package[0]), overlayName))
	}
	if err := b.link(ctx, temp, args); err != nil {
		return nil, err
	}
	im, err := inspect(linked, output, board)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	im.Cuts = b.cuts
	if im.Assembly, im.Portable, err = b.assemblyIn(linked); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if need := im.RAM(); need > board.RAM && !opt.NoLimits {
		return nil, fmt.Errorf("image: %w: its code and variables take %s of RAM, and %s has %s", ErrTooLarge, megabytes(need), board.Name, megabytes(board.RAM))
	}
	if !opt.Symbols && !opt.NoBudget && !opt.NoLimits {
		im.Budget = board.ImageBudget
		if im.Size > im.Budget {
			return nil, fmt.Errorf("image: %w: %v", ErrTooLarge, im)
		}
	}
	// Private keys may be in it.
	err = atomicfile.Write(output, 0o600, func(w io.Writer) error {
		f, err := os.Open(linked)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("image: %w: %w", ErrOutput, err)
	}
	return im, nil
}

// canReplace refuses an output that is something else than a file: it would be removed.
func canReplace(output string) error {
	info, err := os.Lstat(output)
	switch {
	case err != nil || info.Mode().IsRegular() || info.Mode()&fs.ModeSymlink != 0:
		return nil // what is wrong with its folder shows when it is written
	case info.IsDir():
		return fmt.Errorf("%w: %s is a folder; name a file", ErrOutput, output)
	}
	return fmt.Errorf("%w: %s is no regular file; name another", ErrOutput, output)
}

// link runs the go command that makes an image, in a workspace if that keeps the names
// of folders out of it.
func (b *builder) link(ctx context.Context, temp string, args []string) error {
	if w := b.newWorkspace(ctx, temp); w != nil {
		b.env = []string{"GOWORK=" + w.file}
		_, err := b.run(ctx, args...)
		b.env = nil
		if failed, ok := errors.AsType[*goError](err); !ok || compileFailed(failed.stderr) {
			return err
		}
		// A workspace looks at more of the modules' go.mod files than a build
		// needs; without a network they may not be there.
	}
	_, err := b.run(ctx, args...)
	return err
}

type builder struct {
	opt   Options
	board boards.Board
	stamp int64    // the build's time, in seconds since 1970
	env   []string // of the go command, in addition
	cuts  []Cut

	tests    bool     // the packages' tests are what is built
	asm      []string // Image.Assembly
	portable string   // Image.Portable
	goroot   []string // environment of the go command that has it work in a link to GOROOT
}

// flags are those of the go command that make an image. What it reads for that is in
// temp.
func (b *builder) flags(ctx context.Context, temp, overlay string) ([]string, error) {
	gvisorDir := b.moduleDir(ctx, gvisor)
	goroot, err := b.run(ctx, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var toolexec string
	if !b.opt.Stock && !hasFlag(b.opt.Flags, "toolexec") { // there can be only one
		named := b.names(ctx, overlay)
		needs := func(c *cut, root string) bool { return c.tag != "" && b.tagged(c.tag) || named(c, root) }
		toolexec, b.cuts, err = makeCuts(temp, strings.TrimSpace(goroot), map[string]string{gvisor: gvisorDir}, needs)
		if err != nil {
			return nil, fmt.Errorf("image: %w", err)
		}
	}
	// -buildvcs=false: whether a checkout has untracked files, such as an image
	// built before, is no part of a program.
	flags := []string{"-trimpath", "-buildvcs=false", "-tags", b.tags(), "-ldflags", b.ldflags(), "-overlay", overlay}
	flags = append(flags, gcflags(gvisorDir)...)
	if toolexec != "" {
		flags = append(flags, "-toolexec=/bin/sh '"+toolexec+"'") // in a temporary folder, from which one may not be allowed to execute
	}
	return flags, nil
}

// overlay adds Options.Overlay to what is replaced.
func (b *builder) overlay(ctx context.Context, replace map[string]string) error {
	for path, file := range b.opt.Overlay {
		if rest, found := strings.CutPrefix(path, "$GOROOT/"); found {
			env, err := b.toolchain(ctx)
			if err != nil {
				return err
			}
			path = filepath.Join(env.GOROOT, filepath.FromSlash(rest))
		}
		replace[path] = file
	}
	return nil
}

// hasFlag reports whether a flag of the go command is among flags.
func hasFlag(flags []string, name string) bool {
	return slices.ContainsFunc(flags, func(f string) bool {
		f, _, _ = strings.Cut(f, "=")
		return f == "-"+name || f == "--"+name
	})
}

func (b *builder) tags() string {
	return strings.Join(append([]string{b.board.Name}, b.opt.Tags...), ",")
}

func (b *builder) ldflags() string {
	s := fmt.Sprintf("%s -X ingot.dev/firmware.buildTime=%d", strings.Join(b.board.LinkFlags(), " "), b.stamp)
	if !b.opt.Symbols {
		s = "-s -w " + s
	}
	return s
}

// MainDir returns the directory of the program that Build would build. Of opt
// it needs only Package.
func MainDir(ctx context.Context, opt Options) (string, error) {
	board, err := boards.ByName(opt.Board)
	if err != nil {
		return "", fmt.Errorf("image: %w", err)
	}
	if len(opt.Package) == 0 {
		return "", errors.New("image: no package")
	}
	p, err := (&builder{opt: opt, board: board}).find(ctx)
	return p.dir, err
}

// found is the package to build from.
type found struct{ name, dir string }

// find asks the go command for the program's main package.
func (b *builder) find(ctx context.Context) (found, error) {
	what := strings.Join(b.opt.Package, " ")
	for _, name := range b.opt.Package {
		if err := b.isThere(name); err != nil {
			return found{}, fmt.Errorf("image: %w", err)
		}
	}
	// -e: what is wrong with the program is better said by the compiler, or
	// gets put right before it runs (files to embed that are not made yet).
	args := append([]string{"list", "-e", "-tags", b.tags(), "-f", `{{.Name}}{{"\t"}}{{.Dir}}{{"\t"}}{{.Error}}{{"\x00"}}`}, b.opt.Package...)
	out, err := b.run(ctx, args...)
	if err != nil {
		return found{}, err
	}
	packages := strings.Split(strings.TrimSuffix(out, "\n"), "\x00")
	if len(packages) != 2 { // each ends with a zero byte
		return found{}, fmt.Errorf("image: %s names %d packages, an image is made from one", what, len(packages)-1)
	}
	f := strings.SplitN(packages[0], "\t", 3)
	switch {
	case len(f) != 3 || f[0] == "" || f[1] == "":
		return found{}, fmt.Errorf("image: %s: %s", what, strings.TrimSpace(f[len(f)-1]))
	case f[0] != "main":
		return found{}, fmt.Errorf("image: %s is package %s: %w", what, f[0], ErrNotMain)
	}
	return found{f[0], f[1]}, nil
}

// moduleDir returns the directory of a module, or nothing if the program doesn't have it.
func (b *builder) moduleDir(ctx context.Context, module string) string {
	dir, err := b.run(ctx, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(dir)
}

// isThere refuses a file or folder that isn't there; what an import path means is the go
// command's.
func (b *builder) isThere(name string) error {
	if !strings.HasSuffix(name, ".go") && !filepath.IsAbs(name) && name != "." && !strings.HasPrefix(name, "./") && !strings.HasPrefix(name, "../") || strings.Contains(name, "...") {
		return nil
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.opt.Dir, path)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return nil
}

// run executes the go command for the board's target and returns what it
// printed on standard output.
func (b *builder) run(ctx context.Context, args ...string) (string, error) {
	name := b.opt.Go
	if name == "" {
		name = "go"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = b.opt.Dir
	cmd.Env = append(b.environ(), b.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("image: %w", context.Cause(ctx))
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("image: %w: no %s; see https://go.dev/doc/install", ErrNoGo, name)
	}
	return "", &goError{args[0], err, strings.TrimSpace(stderr.String())}
}

// goError is a go command that failed, with what it said.
type goError struct {
	command string
	err     error
	stderr  string
}

func (e *goError) Error() string {
	text := fmt.Sprintf("image: go %s: %v\n%s", e.command, e.err, e.stderr)
	if strings.Contains(e.stderr, "certs/image: no matching files found") {
		text += "\nThat is the certificate store: 'ingot certs init certs' in the program's folder makes one for development."
	}
	return text
}

// Unwrap has what the go command was told by the system, too, if its text shows it.
func (e *goError) Unwrap() []error {
	errs := []error{e.err}
	for _, number := range []syscall.Errno{syscall.ENOSPC, syscall.EFBIG, syscall.EROFS} {
		if strings.Contains(e.stderr, number.Error()) {
			errs = append(errs, number)
		}
	}
	return errs
}

// environ is the go command's environment, which has it build for the board.
func (b *builder) environ() []string {
	env := append(os.Environ(), "GOOS=linux", "GOARCH="+b.board.GOARCH, "CGO_ENABLED=0")
	if b.board.GOARM != "" {
		env = append(env, "GOARM="+b.board.GOARM)
	}
	return append(env, b.goroot...)
}

func isFiles(packages []string) bool { return strings.HasSuffix(packages[0], ".go") }

// writeOverlay writes, into temp, a Go file of the package named that imports the
// board package, and the overlay description that makes the go command see it at
// path, and others where they are to be seen. Format: "go help build", -overlay.
func writeOverlay(temp, path, name string, others map[string]string) (string, error) {
	file := filepath.Join(temp, filepath.Base(path))
	if err := writeImport(file, name); err != nil {
		return "", err
	}
	replace := map[string]string{path: file}
	maps.Copy(replace, others)
	overlay := filepath.Join(temp, "overlay.json")
	return overlay, writeReplace(overlay, replace)
}

// writeImport writes a file of the package named that imports the board.
func writeImport(file, name string) error {
	src := fmt.Sprintf("package %s\n\nimport _ %q\n", name, boardPackage)
	return os.WriteFile(file, []byte(src), 0o666)
}

// writeReplace writes an overlay description.
func writeReplace(file string, replace map[string]string) error {
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o666)
}

// ReplaceDir returns an Overlay in which the directory at path, whether or not it
// exists, holds what the directory from holds, and nothing else.
func ReplaceDir(path, from string) (map[string]string, error) {
	overlay := map[string]string{}
	add := func(root string, content func(file, rel string)) error {
		return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			rel, err := filepath.Rel(root, file)
			content(file, rel)
			return err
		})
	}
	path, err := filepath.Abs(path)
	if err == nil {
		from, err = filepath.Abs(from)
	}
	if err == nil {
		err = add(path, func(file, _ string) { overlay[file] = "" })
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = add(from, func(file, rel string) { overlay[filepath.Join(path, rel)] = file })
	}
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return overlay, nil
}

// inspect reads an image's sizes from its section headers.
func inspect(file, finalPath string, board boards.Board) (*Image, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	im := &Image{Path: finalPath, Board: board, Size: info.Size()}
	if im.Folders, err = folders(file); err != nil {
		return nil, err
	}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		n := int64(s.Size)
		switch {
		case s.Type == elf.SHT_NOBITS:
			im.Zero += n
		case s.Flags&elf.SHF_EXECINSTR != 0:
			im.Code += n
		case s.Flags&elf.SHF_WRITE != 0:
			im.Data += n
		default:
			im.Const += n
		}
	}
	return im, nil
}
