package cli

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// run executes a command line in process.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestRunExitStatus(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		code   int
		stdout string // must be contained
		stderr string // must be contained
	}{
		{"no arguments shows help", nil, ExitOK, "Usage:", ""},
		{"help flag", []string{"--help"}, ExitOK, "Usage:", ""},
		{"unknown command", []string{"frobnicate"}, ExitUsage, "", `unknown command "frobnicate"`},
		{"unknown flag", []string{"--frobnicate"}, ExitUsage, "", "unknown flag: --frobnicate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := run(t, tt.args...)
			if code != tt.code {
				t.Errorf("exit status %d, want %d (stderr %q)", code, tt.code, stderr)
			}
			if !strings.Contains(stdout, tt.stdout) {
				t.Errorf("stdout %q does not contain %q", stdout, tt.stdout)
			}
			if !strings.Contains(stderr, tt.stderr) {
				t.Errorf("stderr %q does not contain %q", stderr, tt.stderr)
			}
			if tt.code != ExitOK && !strings.HasPrefix(stderr, "ingot: ") {
				t.Errorf("stderr %q does not start with the program's name", stderr)
			}
		})
	}
}

// every calls f for each command of the tree.
func every(root *cobra.Command, f func(*cobra.Command)) {
	f(root)
	for _, child := range root.Commands() {
		every(child, f)
	}
}

// Every command has a one-line description, more of it, examples that call it, and says
// which arguments it takes.
func TestEveryCommandIsDescribed(t *testing.T) {
	every(NewRootCommand(), func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Long == "" {
			t.Errorf("%s is not described", cmd.CommandPath())
		}
		if !cmd.Runnable() || cmd.Hidden {
			return
		}
		if cmd.Args == nil && !cmd.DisableFlagParsing {
			t.Errorf("%s does not say which arguments it accepts (Args)", cmd.CommandPath())
		}
		if cmd.Example == "" {
			t.Errorf("%s has no examples", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.HasPrefix(line, "  ") || !strings.Contains(line, cmd.CommandPath()) {
				t.Errorf("%s: the example %q is not of it", cmd.CommandPath(), line)
			}
		}
	})
}

// The shell completes the value of every flag: it is a file, a folder, one of a few, or
// something of which the shell knows that it is nothing of these.
func TestEveryFlagCompletes(t *testing.T) {
	files := []string{"output", "password-file", "baseline", "roots", "svg", "sbom", "image", "backup"}
	every(NewRootCommand(), func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			_, completes := cmd.GetFlagCompletionFunc(f.Name)
			if f.Value.Type() != "bool" && !completes && len(f.Annotations) == 0 && !slices.Contains(files, f.Name) {
				t.Errorf("%s --%s: put it into a table of complete.go", cmd.CommandPath(), f.Name)
			}
		})
	})
}

func TestExitError(t *testing.T) {
	if got := (&ExitError{Code: 7}).Error(); got != "exit status 7" {
		t.Errorf("Error() = %q", got)
	}
	cause := context.Canceled
	if err := error(&ExitError{Code: 1, Err: cause}); !errors.Is(err, cause) {
		t.Error("ExitError does not unwrap to its cause")
	}
}
