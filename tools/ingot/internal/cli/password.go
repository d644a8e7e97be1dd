package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passwords finds the password of a file. Passwords are never arguments, which other
// users of a machine can see.
type passwords struct {
	file string // of --password-file
}

func (p *passwords) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "password-file", "", "`file` whose first line is the password; - is standard input")
}

// given returns the password of --password-file; ok is false without one.
func (p *passwords) given(cmd *cobra.Command) (password string, ok bool, err error) {
	if p.file == "" {
		return "", false, nil
	}
	in := cmd.InOrStdin()
	if p.file != "-" {
		f, err := os.Open(p.file)
		if err != nil {
			return "", false, badInput(fmt.Errorf("--password-file: %w", err))
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, 4096))
	if err != nil {
		return "", false, badInput(fmt.Errorf("--password-file: %w", err))
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSuffix(line, "\r"), true, nil
}

var errNoTerminal = errors.New("it needs a password, and there is no terminal to ask at; give --password-file")

// ask asks for the password of what at the terminal.
func (p *passwords) ask(cmd *cobra.Command, what string) (string, error) {
	f, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", errNoTerminal
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Password of %s: ", what)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	return string(b), err
}
