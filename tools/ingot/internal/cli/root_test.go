package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
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

// Every command must have a one-line description and an example or arguments
// that a reader of --help can act on.
func TestEveryCommandIsDescribed(t *testing.T) {
	root := NewRootCommand()
	stack := root.Commands()
	for len(stack) > 0 {
		cmd := stack[0]
		stack = append(stack[1:], cmd.Commands()...)
		if cmd.Short == "" {
			t.Errorf("%s has no Short description", cmd.CommandPath())
		}
		if cmd.Args == nil && cmd.Runnable() {
			t.Errorf("%s does not say which arguments it accepts (Args)", cmd.CommandPath())
		}
	}
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
