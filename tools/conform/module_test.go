package main

import "testing"

// TestModule checks the annotations and tables of this module. What it reports is
// mended at the place that it names, or by: go run ./tools/conform
func TestModule(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err != nil {
		t.Error(err)
	}
}
