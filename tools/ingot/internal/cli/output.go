package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
)

// reply is what a command prints with --json: one object, whatever came of it.
type reply struct {
	Command string   `json:"command"`          // in full, such as "ingot certs ls"
	OK      bool     `json:"ok"`               // the exit status is 0
	Result  any      `json:"result,omitempty"` // the command's own
	Error   *failure `json:"error,omitempty"`  // without OK
}

// failure is why a command failed.
type failure struct {
	Status  int    `json:"status"`  // the exit status
	Kind    string `json:"kind"`    // the same in a word
	Message string `json:"message"` // what standard error says
}

// kinds are the exit statuses in a word.
var kinds = map[int]string{
	ExitFailure: "failed", ExitUsage: "usage", ExitNoTool: "tool", ExitInput: "input", ExitOutput: "output", ExitInterrupted: "interrupted",
}

// addJSON registers --json.
func addJSON(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print one JSON object, for programs; 'ingot help json' describes it")
}

func newJSONTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "json",
		Short: "What --json prints",
		Long: `With --json a command prints one object on standard output and nothing else:

  {
    "command": "ingot certs import",
    "ok": true,
    "result": { ... }
  }

If it fails, "ok" is false, and the exit status, its kind (failed, usage, tool, input,
output, interrupted) and the message, which standard error has too, are in "error":

  "error": {"status": 4, "kind": "input", "message": "www.p12: ..."}

"result" is the command's own; a command that judges, such as 'ingot certs check' and
'ingot doctor', has one when it fails, too. Sizes are in bytes, times as in RFC 3339,
fingerprints in hexadecimal digits. What a command writes is in "files", each with its
"path", its "state" (created, replaced, unchanged, removed) and "private" for keys.
Members may be added; those that there are stay.`,
	}
}

// answer prints the result of a command that has succeeded.
func answer(cmd *cobra.Command, result any) error {
	return writeJSON(cmd.OutOrStdout(), reply{Command: cmd.CommandPath(), OK: true, Result: result})
}

// complain prints the error of a command that has failed.
func complain(cmd *cobra.Command, exit *ExitError) error {
	kind := kinds[exit.Code]
	if kind == "" {
		kind = kinds[ExitFailure]
	}
	return writeJSON(cmd.OutOrStdout(), reply{Command: cmd.CommandPath(), Result: exit.Result,
		Error: &failure{Status: exit.Code, Kind: kind, Message: exit.Error()}})
}

// wantsJSON reports whether a command was told to print JSON. A command line that isn't
// understood may not have been read as far as --json.
func wantsJSON(cmd *cobra.Command, args []string) bool {
	flag := cmd.Flags().Lookup("json")
	if flag == nil || flag.Value.Type() != "bool" {
		return false
	}
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return flag.Value.String() == "true" || !flag.Changed && slices.Contains(args, "--json")
}

// writeJSON prints v for programs.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// standardOutput remembers that something could not be printed, which most that prints
// doesn't look at.
type standardOutput struct {
	io.Writer
	err error
}

func (o *standardOutput) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// Unwrap is the file behind it, if it is one.
func (o *standardOutput) Unwrap() io.Writer { return o.Writer }

// failed is the error that there was.
func (o *standardOutput) failed() error {
	if o.err == nil {
		return nil
	}
	return cannotWrite(fmt.Errorf("not all of the output could be written: %w", o.err))
}
