package main

import (
	"errors"
	"fmt"
	"go/build/constraint"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Actions whose recipe runs a program. The others only compile.
var runActions = []string{"run", "buildrun", "rundir", "errorcheckandrundir", "buildrundir", "runindir", "runoutput"}

// A recipe says how to build and run a program: the first line of its file that
// is not a build constraint.
type recipe struct {
	action string

	// flags are for the compiler, or for the go command if the action is
	// run, buildrun or runoutput.
	flags []string

	// args follow the flags. For the go command, leading names of Go files
	// are more files of the program.
	args []string

	// lastButOneFails is set for errorcheckandrundir with -1: the package
	// before the last is expected not to compile.
	lastButOneFails bool

	onePerFile   bool          // -s: each file of a directory is a package
	limit        time.Duration // -t; zero: none
	godebug      string        // -godebug: the program's GODEBUG
	goexperiment string        // -goexperiment: the toolchain's GOEXPERIMENT
}

// errNoRecipe says that a file does not start with a recipe.
var errNoRecipe = errors.New("no recipe in the file's first lines")

// parseRecipe reads the recipe of a program's source. It returns false if the
// recipe runs nothing.
func parseRecipe(src string) (recipe, bool, error) {
	line := ""
	for rest := src; line == "" && rest != ""; {
		var l string
		l, rest, _ = strings.Cut(rest, "\n")
		if constraint.IsGoBuild(l) || constraint.IsPlusBuild(l) {
			continue
		}
		line = strings.TrimSpace(strings.TrimPrefix(l, "//"))
	}
	action, _, _ := strings.Cut(line, " ")
	if line == "" {
		return recipe{}, false, errNoRecipe
	}
	if !slices.Contains(runActions, action) {
		return recipe{}, false, nil
	}
	words, err := splitQuoted(line)
	if err != nil {
		return recipe{}, true, fmt.Errorf("recipe %q: %w", line, err)
	}
	r := recipe{action: words[0]}
	words = words[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		flag := words[0]
		words = words[1:]
		value := ""
		switch flag {
		case "-t", "-goexperiment", "-godebug", "-gomodversion":
			if len(words) == 0 {
				return recipe{}, true, fmt.Errorf("recipe %q: %s without a value", line, flag)
			}
			value, words = words[0], words[1:]
		}
		switch flag {
		case "-0":
			r.lastButOneFails = false
		case "-1":
			r.lastButOneFails = true
		case "-s":
			r.onePerFile = true
		case "-t":
			seconds, err := strconv.Atoi(value)
			if err != nil || seconds <= 0 {
				return recipe{}, true, fmt.Errorf("recipe %q: -t %s is not a number of seconds", line, value)
			}
			r.limit = time.Duration(seconds) * time.Second
		case "-goexperiment":
			r.goexperiment = joinComma(r.goexperiment, value)
		case "-godebug":
			r.godebug = joinComma(r.godebug, value)
		case "-gomodversion":
			// Only for runindir, which build refuses.
		default:
			r.flags = append(r.flags, flag)
		}
	}
	r.args = words
	return r, true, nil
}

func joinComma(a, b string) string {
	if a == "" {
		return b
	}
	return a + "," + b
}

// splitQuoted splits s around blanks. Double quotes keep blanks; inside and
// outside of them a backslash keeps the next character.
func splitQuoted(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quoted, escaped := false, false, false
	for _, c := range s {
		switch {
		case escaped:
			escaped = false
			word.WriteRune(c)
		case c == '\\':
			escaped, inWord = true, true
		case c == '"':
			quoted, inWord = !quoted, true
		case !quoted && (c == ' ' || c == '\t'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			inWord = true
			word.WriteRune(c)
		}
	}
	if quoted || escaped {
		return nil, errors.New("unfinished quotation")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// excludedBy returns the first build constraint above the package clause that
// tag does not satisfy, and "" if there is none.
func excludedBy(src string, tag func(string) bool) string {
	for line := range strings.Lines(src) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "package ") {
			break
		}
		// Lines that are no constraint are an error here.
		if expr, err := constraint.Parse(line); err == nil && !expr.Eval(tag) {
			return line
		}
	}
	return ""
}

// compilerFlags takes the flags of a go command apart that gotest knows, which
// are those for the compiler of the main package.
func compilerFlags(goFlags []string) ([]string, error) {
	var flags []string
	for i := 0; i < len(goFlags); i++ {
		name, value, hasValue := strings.Cut(goFlags[i], "=")
		if name != "-gcflags" && name != "--gcflags" {
			return nil, fmt.Errorf("gotest doesn't know the go command's flag %s", goFlags[i])
		}
		if !hasValue {
			if i++; i == len(goFlags) {
				return nil, fmt.Errorf("%s without a value", name)
			}
			value = goFlags[i]
		}
		if value != "" && value[0] != '-' {
			return nil, fmt.Errorf("gotest doesn't compile other packages with flags: %s=%s", name, value)
		}
		flags = append(flags, strings.Fields(value)...)
	}
	return flags, nil
}
