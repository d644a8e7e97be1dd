package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"ingot.dev/tools/ingot/internal/flash"
)

func TestAskToWrite(t *testing.T) {
	target := flash.Target{Path: "/dev/sdx", Device: true, Size: 16e9, Name: "Generic SD", Removable: true}
	for answer, yes := range map[string]bool{
		"y\n": true, "Yes\n": true, "y": true, "\n": false, "n\n": false, "": false, "yellow\n": false, "no\ny\n": false,
	} {
		var out bytes.Buffer
		err := askToWrite(&out, strings.NewReader(answer), target)
		if yes && err != nil || !yes && !errors.Is(err, errDeclined) {
			t.Errorf("%q: %v", answer, err)
		}
		if !strings.Contains(out.String(), "Everything on /dev/sdx (Generic SD, 16.0 GB, removable) will be lost.") {
			t.Errorf("the question is %q", out.String())
		}
	}
}

// TestFlashExitCodes: what the exit status says of each kind of error.
func TestFlashExitCodes(t *testing.T) {
	for err, want := range map[error]int{
		flash.ErrNotDisk: ExitOutput, flash.ErrTooSmall: ExitOutput, flash.ErrInUse: ExitOutput, flash.ErrVerify: ExitOutput,
		flash.ErrNoLoader: ExitNoTool, flash.ErrNoBoard: ExitFailure, errDeclined: ExitFailure,
	} {
		if got := exitCode(t.Context(), err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}
