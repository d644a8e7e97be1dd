package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOpen: rows in open.txt may be without a test, and leave it when they have one.
func TestOpen(t *testing.T) {
	root := module(t, "//conform:iotjs option.host differs sock.TCP.Options.Host -- no default\n", "")
	path := filepath.Join(root, filepath.FromSlash(openFile))
	if err := os.WriteFile(path, []byte("bun write\niotjs option.host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, check := range []bool{true, false, true} {
		if err := run(root, check); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, root, openFile); got != "iotjs option.host\n" {
		t.Errorf("open.txt is %q", got)
	}
}
