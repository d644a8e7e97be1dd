package image

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A cut is a small change to source files of the standard library or of a module, made
// for the compiler's eyes only. Where a file doesn't read as expected, with another
// release, the cut isn't made: the image is larger then, and otherwise the same. A test
// tells for the releases that the project knows.
type cut struct {
	name   string   // what is cut
	module string   // whose files; empty: the standard library's
	files  []string // the first that takes all edits gets them; slash-separated, from the module's root or GOROOT/src
	edits  []edit
	also   []part // more files, for a change that only compiles as a whole
	omit   string // instead: leave out all files of the module whose names end so

	// all, in the place of files: all that match one of these patterns (filepath.Glob),
	// of which each is rewritten. It reports whether a file reads as expected.
	all     []string
	rewrite func(text string) (string, bool)

	tag string // a build tag with which the cut isn't made

	// unnamed are words of which the sources of the program must have none for the cut to
	// be made: whoever needs what it takes has to name it there. The standard library's
	// own packages, and the one that is cut, don't count.
	unnamed []string
}

// A part is what a cut changes in one more file.
type part struct {
	file  string
	edits []edit
	more  string // code that comes behind all that is in the file
}

// An edit replaces old, which has to be in the file once. Neither adds or removes lines,
// so that line numbers in tracebacks stay true; what needs lines is a part's more.
type edit struct{ old, new string }

const gvisor = "gvisor.dev/gvisor"

// errNoCut says that a source file doesn't read as a cut expects.
var errNoCut = errors.New("the file reads differently")

// A changed file is what a cut makes of one that is at path.
type changed struct{ path, text string }

// apply returns what becomes of the files below root: all of them, or errNoCut.
func (c *cut) apply(root string) ([]changed, error) {
	var files []changed
	for _, pattern := range c.all {
		names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			text, ok := c.rewrite(string(b))
			if !ok {
				return nil, errNoCut
			}
			files = append(files, changed{name, text})
		}
	}
	if len(c.files) > 0 || len(files) == 0 {
		first, err := applyEdits(root, c.files, c.edits)
		if err != nil {
			return nil, err
		}
		files = append(files, first)
	}
	for _, p := range c.also {
		f, err := applyEdits(root, []string{p.file}, p.edits)
		if err != nil {
			return nil, err
		}
		f.text += p.more
		files = append(files, f)
	}
	return files, nil
}

// applyEdits edits the first of the named files that takes all edits.
func applyEdits(root string, names []string, edits []edit) (changed, error) {
	for _, name := range names {
		file := filepath.Join(root, filepath.FromSlash(name))
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return changed{}, err
		}
		if text, ok := editAll(string(b), edits); ok {
			return changed{file, text}, nil
		}
	}
	return changed{}, errNoCut
}

func editAll(text string, edits []edit) (string, bool) {
	for _, e := range edits {
		if strings.Count(text, e.old) != 1 {
			return "", false
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return text, true
}

// makeCuts writes into temp what the cuts make of files, and a shell script for the go
// command's -toolexec that gives them to the compiler and the assembler. (Its -overlay takes no files of
// modules, nor of a toolchain that was downloaded as one.) goroot is where the toolchain
// is, dirs are the directories of modules. It returns the script's name, empty if there
// is nothing to do or no shell to run it, and what is cut. needs reports whether the program needs
// what a cut takes.
func makeCuts(temp, goroot string, dirs map[string]string, needs func(c *cut, root string) bool) (script string, made []Cut, err error) {
	if runtime.GOOS == "windows" {
		return "", nil, nil
	}
	var cases strings.Builder
	version := sha256.New()
	for i := range cuts {
		c := &cuts[i]
		root := filepath.Join(goroot, "src")
		if c.module != "" {
			root = dirs[c.module]
		}
		switch {
		case root == "" || strings.ContainsAny(root, "'\n"): // not there, or nothing for a shell
			continue
		case needs(c, root):
			continue
		case c.omit != "":
			fmt.Fprintf(&cases, "'%s/'*'%s') continue ;;\n", root, c.omit)
			fmt.Fprintf(version, "%q\n", c.omit)
			made = append(made, Cut{c.module, c.name})
			continue
		}
		files, err := c.apply(root)
		if errors.Is(err, errNoCut) {
			continue
		} else if err != nil {
			return "", nil, err
		}
		for n, f := range files {
			// The compiler is to know it by the name that it replaces.
			name, line := fmt.Sprintf("cut%d-%d%s", i, n, filepath.Ext(f.path)), "//line "+f.path+":1\n"
			if filepath.Ext(f.path) == ".s" {
				line = fmt.Sprintf("#line 1 %q\n", f.path)
			}
			if err := os.WriteFile(filepath.Join(temp, name), []byte(line+f.text), 0o666); err != nil {
				return "", nil, err
			}
			fmt.Fprintf(&cases, "'%s') file=$dir/%s ;;\n", f.path, name)
			fmt.Fprintf(version, "%q\n", f.text)
		}
		made = append(made, Cut{c.module, c.name})
	}
	if cases.Len() == 0 {
		return "", nil, nil
	}
	// The compiler's version is what tells results in the build cache apart, so it
	// depends on what is done, but not on where.
	text := fmt.Sprintf(toolexec, version.Sum(nil), cases.String())
	script = filepath.Join(temp, "toolexec.sh")
	return script, made, os.WriteFile(script, []byte(text), 0o666)
}

// toolexec runs a tool of the toolchain, the compiler with other files. See "go help
// build", -toolexec. The go command asks the compiler for its version before all else.
// -trimpath hides where the script is, which would make a difference to the result.
const toolexec = `case ${1##*/} in compile | asm) ;; *) exec "$@" ;; esac
if [ "$2" = -V=full ]; then
	version=$("$@") || exit
	echo "$version+ingot.%.8x"
	exit
fi
dir=${0%%/*}
n=$#
while [ $n -gt 0 ]; do
file=$1
shift
n=$((n - 1))
case $file in
-trimpath)
	set -- "$@" "$file" "$1;$dir=>"
	shift
	n=$((n - 1))
	continue ;;
-trimpath=*) file="$file;$dir=>" ;;
%sesac
set -- "$@" "$file"
done
exec "$@"
`
