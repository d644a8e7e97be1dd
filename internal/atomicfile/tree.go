package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Tree is a change to a folder that is being prepared. Its files are written beside
// their places, where they take the room that they need, and Commit only renames.
type Tree struct {
	dir   string   // to be changed
	fresh bool     // it isn't there yet
	made  []string // folders above it that weren't there
	stage string   // where files wait
	owner *os.File // the lock on stage
	whole map[string]bool
	keep  []string
	undo  []func() error
}

// NewTree begins a change to a folder, which need not be there. Close must be called.
func NewTree(dir string) (*Tree, error) {
	t := &Tree{dir: filepath.Clean(dir), whole: map[string]bool{}}
	within := t.dir
	switch info, err := os.Stat(t.dir); {
	case errors.Is(err, fs.ErrNotExist):
		t.fresh, within = true, filepath.Dir(t.dir)
		if t.made, err = makeFolders(within); err != nil {
			return nil, describe(dir, err)
		}
	case err != nil:
		return nil, describe(dir, err)
	case !info.IsDir():
		return nil, fmt.Errorf("%s: it is a file; name a folder", dir)
	}
	sweep(within)
	for t.owner == nil {
		if err := t.makeStage(within); err != nil {
			t.Close()
			return nil, describe(dir, err)
		}
	}
	return t, nil
}

// makeStage makes the stage, unless somebody takes it for abandoned first.
func (t *Tree) makeStage(within string) (err error) {
	if t.stage, err = os.MkdirTemp(within, prefix); err != nil { // mode 0700
		return err
	}
	f, err := os.Open(t.stage)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case own(f):
		t.owner = f
		return nil
	}
	return f.Close()
}

// makeFolders is os.MkdirAll that says what it made.
func makeFolders(dir string) (made []string, err error) {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, d)
	}
	return made, os.MkdirAll(dir, 0o755)
}

func (t *Tree) removeMade() {
	for _, d := range t.made {
		os.Remove(d) // only if nobody has put something there
	}
}

// Add has the change put a file at a path below the folder. The folder that holds a file
// that only its owner may read is closed to others, too.
func (t *Tree) Add(name string, data []byte, mode fs.FileMode) error {
	path := filepath.Join(t.stage, filepath.FromSlash(name))
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return t.describe(name, err)
	}
	if mode&0o077 == 0 && parent != t.stage {
		if err := os.Chmod(parent, 0o700); err != nil {
			return t.describe(name, err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return t.describe(name, err)
	}
	_, err = f.Write(data)
	return t.describe(name, errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()))
}

func (t *Tree) describe(name string, err error) error {
	return describe(filepath.Join(t.dir, filepath.FromSlash(name)), err)
}

// Stage is the folder in which files wait, for those who write them by themselves.
func (t *Tree) Stage() string { return t.stage }

// Placed has an error of somebody who wrote there name the folder that was meant.
func (t *Tree) Placed(err error) error {
	if err == nil {
		return nil
	}
	return &placedError{strings.ReplaceAll(err.Error(), t.stage, t.dir), err}
}

type placedError struct {
	text string
	err  error
}

func (e *placedError) Error() string { return e.text }
func (e *placedError) Unwrap() error { return e.err }

// Whole has the folder at a path replaced by the one of the change, in place of getting
// its files beside those that are there.
func (t *Tree) Whole(name string) { t.whole[filepath.FromSlash(name)] = true }

// Keep has the folder at a path replaced at once, with what else is in it.
func (t *Tree) Keep(name string) {
	t.Whole(name)
	t.keep = append(t.keep, filepath.FromSlash(name))
}

// takeAlong copies what else is in a folder that will be replaced.
func (t *Tree) takeAlong(dir string) error {
	return filepath.WalkDir(filepath.Join(t.dir, dir), func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(t.dir, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if Unfinished(name) {
				return fs.SkipDir
			}
			return nil
		}
		if _, err := os.Lstat(filepath.Join(t.stage, rel)); err == nil || Unfinished(name) {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return t.Add(filepath.ToSlash(rel), data, info.Mode().Perm())
	})
}

// Commit puts everything into its place. When something can't be, what was is put back.
func (t *Tree) Commit() error {
	if t.fresh {
		if err := os.Chmod(t.stage, 0o755); err != nil {
			return describe(t.dir, err)
		}
		if err := os.Rename(t.stage, t.dir); err != nil {
			return describe(t.dir, err)
		}
		t.stage, t.made = "", nil
		return nil
	}
	for _, dir := range t.keep {
		if err := t.takeAlong(dir); err != nil {
			return err
		}
	}
	err := t.putAll(".")
	if err != nil {
		for _, undo := range slices.Backward(t.undo) {
			err = errors.Join(err, undo())
		}
	}
	t.undo = nil
	return err
}

// putAll puts what a folder of the stage holds into its place.
func (t *Tree) putAll(dir string) error {
	entries, err := os.ReadDir(filepath.Join(t.stage, dir))
	if err != nil {
		return t.describe(dir, err)
	}
	for _, e := range entries {
		if err := t.put(filepath.Join(dir, e.Name()), e.IsDir()); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) put(name string, isDir bool) error {
	from, to := filepath.Join(t.stage, name), filepath.Join(t.dir, name)
	info, err := os.Lstat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.Rename(from, to); err != nil {
			return t.describe(name, err)
		}
		t.undo = append(t.undo, func() error { return os.Rename(to, from) })
		return nil
	case err != nil:
		return t.describe(name, err)
	case isDir && info.IsDir() && !t.whole[name]:
		if staged, err := os.Stat(from); err != nil {
			return t.describe(name, err)
		} else if closed := info.Mode().Perm() & staged.Mode().Perm(); closed != info.Mode().Perm() {
			// It may be from before, and anyone's to read.
			if err := os.Chmod(to, closed); err != nil {
				return t.describe(name, err)
			}
			t.undo = append(t.undo, func() error { return os.Chmod(to, info.Mode().Perm()) })
		}
		return t.putAll(name)
	case isDir != info.IsDir():
		return t.describe(name, errors.New("a file and a folder have the same name; move what is there away"))
	}
	return t.describe(name, t.swap(from, to))
}

// swap puts from into the place of to, and to into the place of from.
func (t *Tree) swap(from, to string) error {
	ok, err := exchangePaths(from, to)
	if err != nil {
		return err
	}
	if ok {
		t.undo = append(t.undo, func() error { _, err := exchangePaths(from, to); return err })
		return nil
	}
	old := from + ".old"
	if err := os.Rename(to, old); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return errors.Join(err, os.Rename(old, to))
	}
	t.undo = append(t.undo, func() error { return errors.Join(os.Rename(to, from), os.Rename(old, to)) })
	return nil
}

// Close removes what is left of the change, which is all of it without Commit.
func (t *Tree) Close() {
	if t.stage != "" {
		os.RemoveAll(t.stage)
	}
	if t.owner != nil {
		t.owner.Close()
	}
	t.removeMade()
}

var exchangePaths = exchange // a test tries it without
