package image

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// names returns a function which reports whether the program's sources have one of the words
// that a cut of files in a folder wants unnamed (cut.unnamed). Where that isn't known, they
// are said to have it. overlay is the file for the go command's -overlay.
func (b *builder) names(ctx context.Context, overlay string) func(c *cut, root string) bool {
	read := sync.OnceValues(func() ([]source, error) { return b.sources(ctx, overlay) })
	return func(c *cut, root string) bool {
		if len(c.unnamed) == 0 {
			return false
		}
		sources, err := read()
		if err != nil {
			return true // and the build will say what is wrong
		}
		own := map[string]bool{}
		for _, file := range c.files {
			own[filepath.Dir(filepath.Join(root, filepath.FromSlash(file)))] = true
		}
		for _, s := range sources {
			if own[s.dir] {
				continue
			}
			for _, word := range c.unnamed {
				if bytes.Contains(s.text, []byte(word)) {
					return true
				}
			}
		}
		return false
	}
}

// A source is a file of the program in a folder, with all that it says, comments too.
type source struct {
	dir  string
	text []byte
}

// sources reads the files of the program's packages, but for those of the standard library.
func (b *builder) sources(ctx context.Context, overlay string) ([]source, error) {
	var replaced struct{ Replace map[string]string }
	text, err := os.ReadFile(overlay)
	if err == nil {
		err = json.Unmarshal(text, &replaced)
	}
	if err != nil {
		return nil, err
	}
	args := []string{"list", "-deps", "-tags", b.tags(), "-overlay", overlay, "-json=Dir,Standard,GoFiles,CgoFiles"}
	if b.tests {
		args = append(args, "-test")
	}
	out, err := b.run(ctx, append(append(args, b.opt.Flags...), b.opt.Package...)...)
	if err != nil {
		return nil, err
	}
	var list []source
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var p struct {
			Dir               string
			Standard          bool
			GoFiles, CgoFiles []string
		}
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		if p.Standard {
			continue
		}
		for _, name := range append(p.GoFiles, p.CgoFiles...) {
			path := name // go list has absolute names for what it makes itself
			if !filepath.IsAbs(path) {
				path = filepath.Join(p.Dir, name)
			}
			if file := replaced.Replace[path]; file != "" {
				path = file
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			list = append(list, source{p.Dir, text})
		}
	}
	return list, nil
}
