package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"ingot.dev/internal/testenv"
)

// What measures must not be in an image that is used.
func TestBenchmarkIsNotInDefaultImage(t *testing.T) {
	testenv.NeedProcess(t)
	const bench = "ingot.dev/firmware/bench"
	for _, tt := range []struct {
		tags string
		want bool
	}{
		{"imx6ulevk", false},
		{"", false},
		{"imx6ulevk,bench", true}, // otherwise this test looks for the wrong thing
	} {
		cmd := exec.Command("go", "list", "-deps", "-tags", tt.tags, ".")
		cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=arm", "GOARM=7", "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(strings.Fields(string(out)), bench); got != tt.want {
			t.Errorf("tags %q: %s in the image: %v, want %v", tt.tags, bench, got, tt.want)
		}
	}
}
