package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ingot.dev/internal/armcrypto"
)

// Ciphers says in one line what the image has for cryptography, for people; nothing if it
// has none for which there is assembly.
func (im *Image) Ciphers() string {
	if len(im.Assembly) == 0 && im.Portable == "" {
		return ""
	}
	s := "cryptography: ARM assembly for " + shortNames(im.Assembly)
	switch {
	case len(im.Assembly) == 0:
		s = "cryptography: portable code"
		fallthrough
	case im.Portable != "":
		s += " (" + im.Portable + ")"
	}
	return s
}

// shortNames are the last elements of import paths.
func shortNames(paths []string) string {
	var names []string
	for _, p := range paths {
		names = append(names, p[strings.LastIndex(p, "/")+1:])
	}
	return strings.Join(names, ", ")
}

// assembly writes our assembly for the standard library into temp, and returns which
// files of GOROOT the go command is to see in the place of others. Where that can't be,
// b.portable says why.
func (b *builder) assembly(ctx context.Context, temp string) (replace map[string]string, err error) {
	replace = map[string]string{}
	switch {
	case b.opt.Stock:
		b.portable = "a stock build"
	case b.opt.NoARMAsm:
		b.portable = "as asked for"
	case b.board.GOARCH != "arm":
		b.portable = "there is no assembly for " + b.board.GOARCH
	case b.tagged("purego"):
		b.portable = "build tag purego"
	case hasFlag(b.opt.Flags, "overlay"): // the last one counts, and that isn't ours
		b.portable = "flag -overlay"
	}
	if b.portable != "" {
		return replace, nil
	}
	env, err := b.toolchain(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(armcrypto.Releases, env.GOVERSION) {
		b.portable = fmt.Sprintf("the assembly was checked with %s, and this is %s", strings.Join(armcrypto.Releases, " and "), env.GOVERSION)
		return replace, nil
	}
	if err := b.useLink(env, temp); err != nil {
		b.portable = err.Error()
		return replace, nil
	}
	var changed []string
	for i := range armcrypto.Packages {
		p := &armcrypto.Packages[i]
		// A frozen FIPS module is compiled from files of its own.
		frozen := env.GOFIPS140 != "" && env.GOFIPS140 != "off" && env.GOFIPS140 != "latest"
		good := !frozen || !strings.HasPrefix(p.Path, "crypto/internal/fips140/")
		parts := p.Parts(env.GOVERSION)
		for _, part := range parts {
			same, err := reads(goPackage(env.GOROOT, part), part.Sums)
			if err != nil {
				return nil, fmt.Errorf("image: %w", err)
			}
			good = good && same
		}
		if !good {
			changed = append(changed, p.Path)
			continue
		}
		for _, part := range parts {
			more, err := writeAssembly(part, goPackage(env.GOROOT, part), filepath.Join(temp, "asm", filepath.FromSlash(part.Path)))
			if err != nil {
				return nil, fmt.Errorf("image: %w", err)
			}
			maps.Copy(replace, more)
		}
		b.asm = append(b.asm, p.Path)
	}
	if len(changed) > 0 {
		b.portable = "not for " + shortNames(changed) + ", whose files aren't those of the release"
	}
	return replace, nil
}

// assemblyIn returns what Image.Assembly and Image.Portable are of a linked image. Which
// packages it has, the names of its functions say.
func (b *builder) assemblyIn(file string) (asm []string, portable string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, "", err
	}
	any := false
	for i := range armcrypto.Packages {
		path := armcrypto.Packages[i].Path
		if !bytes.Contains(text, []byte(path+".")) {
			continue
		}
		any = true
		if slices.Contains(b.asm, path) {
			asm = append(asm, path)
		}
	}
	if any {
		portable = b.portable
	}
	return asm, portable, nil
}

// tagged reports whether the go command gets a build tag. Of several -tags, the last counts.
func (b *builder) tagged(tag string) bool {
	tags := b.tags()
	for i, f := range b.opt.Flags {
		if !hasFlag([]string{f}, "tags") {
			continue
		}
		if _, value, found := strings.Cut(f, "="); found {
			tags = value
		} else if i+1 < len(b.opt.Flags) {
			tags = b.opt.Flags[i+1]
		}
	}
	return slices.Contains(strings.FieldsFunc(tags, func(r rune) bool { return r == ',' || r == ' ' }), tag)
}

// goPackage is the folder of a package.
func goPackage(goroot string, p *armcrypto.Package) string {
	return filepath.Join(goroot, "src", filepath.FromSlash(p.Path))
}

// goroot is what "go env" says of the toolchain.
type goroot struct{ GOROOT, GOVERSION, GOMODCACHE, GOFIPS140 string }

func (b *builder) toolchain(ctx context.Context) (*goroot, error) {
	out, err := b.run(ctx, "env", "-json", "GOROOT", "GOVERSION", "GOMODCACHE", "GOFIPS140")
	if err != nil {
		return nil, err
	}
	var env goroot
	if err := json.Unmarshal([]byte(out), &env); err != nil {
		return nil, fmt.Errorf("image: go env: %w", err)
	}
	return &env, nil
}

// useLink sees to a toolchain that is in the module cache, as one that was downloaded
// is: there the go command replaces no file. It has GOROOT be a link in temp.
func (b *builder) useLink(env *goroot, temp string) error {
	// Once it is in use, GOROOT is outside.
	if env.GOMODCACHE == "" || !strings.HasPrefix(env.GOROOT, env.GOMODCACHE+string(filepath.Separator)) {
		return nil
	}
	link := filepath.Join(temp, "goroot")
	if err := os.Symlink(env.GOROOT, link); err != nil {
		return errors.New("the toolchain is in the module cache, where the go command replaces no files, and this system makes no links")
	}
	env.GOROOT = link
	b.goroot = []string{"GOROOT=" + link, "GOTOOLCHAIN=local"}
	b.opt.Go = filepath.Join(link, "bin", "go")
	return nil
}

// reads reports whether the files of a folder have the sums.
func reads(dir string, sums map[string]string) (bool, error) {
	for name, want := range sums {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want {
			return false, nil
		}
	}
	return true, nil
}

// writeAssembly writes the files of a package to temp, and returns where in dir the
// compiler is to see them, and what it isn't to see.
func writeAssembly(p *armcrypto.Package, dir, temp string) (map[string]string, error) {
	replace := map[string]string{}
	for _, name := range p.Hide {
		replace[filepath.Join(dir, name)] = ""
	}
	if err := os.MkdirAll(temp, 0o777); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	maps.Copy(files, p.Files())
	for _, e := range p.Edits {
		text, ok := files[e.File]
		if !ok {
			var err error
			if text, err = os.ReadFile(filepath.Join(dir, e.File)); err != nil {
				return nil, err
			}
		}
		changed, ok := editAll(string(text), []edit{{e.Old, e.New}})
		if !ok {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, e.File), errNoCut)
		}
		files[e.File] = []byte(changed)
	}
	for name, rewrite := range p.Rewrite {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		changed, err := rewrite(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		files[name] = []byte(changed)
	}
	for name, text := range files {
		file := filepath.Join(temp, name)
		if err := os.WriteFile(file, text, 0o666); err != nil {
			return nil, err
		}
		replace[filepath.Join(dir, name)] = file
	}
	return replace, nil
}
