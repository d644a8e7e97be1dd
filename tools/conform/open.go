package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// openFile lists rows, as "api id" lines, whose test is still to be written. While
// it exists, these are not reported, and neither are stale tables: they change
// with every test that is added. It can only shrink.
const openFile = rowsDir + "/open.txt"

// openRows reads it; draft says whether it exists.
func openRows(root string) (open map[string]bool, draft bool, err error) {
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(openFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	open = map[string]bool{}
	for line := range strings.Lines(string(data)) {
		open[strings.TrimSpace(line)] = true
	}
	return open, true, err
}

// shrinkOpen drops the rows that have a test from the file, and the file when
// none is left.
func shrinkOpen(root string, apis []*api, open map[string]bool) error {
	var left strings.Builder
	for _, a := range apis {
		for _, r := range a.rows {
			if key := a.name + " " + r.id; len(r.proofs) == 0 && open[key] {
				fmt.Fprintln(&left, key)
			}
		}
	}
	path := filepath.Join(root, filepath.FromSlash(openFile))
	if left.Len() == 0 {
		return os.Remove(path)
	}
	return os.WriteFile(path, []byte(left.String()), 0o644)
}
