package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// The document has every command and every exit status that there is.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../../../docs/ingot.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			if child.HasSubCommands() {
				walk(child)
			} else if child.Runnable() && !child.Hidden && !strings.Contains(text, "`"+child.CommandPath()) {
				t.Errorf("docs/ingot.md doesn't have %s", child.CommandPath())
			}
		}
	}
	walk(NewRootCommand())
	topic := newExitCodesTopic().Long
	for _, code := range []int{ExitOK, ExitFailure, ExitUsage, ExitNoTool, ExitInput, ExitOutput, ExitInterrupted} {
		if !strings.Contains(text, fmt.Sprintf("\n| %d | ", code)) {
			t.Errorf("docs/ingot.md doesn't have exit status %d", code)
		}
		if !strings.Contains(topic, fmt.Sprintf("\n  %-4d ", code)) {
			t.Errorf("'ingot help exit-codes' doesn't have %d", code)
		}
	}
}
