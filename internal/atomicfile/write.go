package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// prefix begins the names of what isn't finished.
const prefix = ".ingot-new-"

// Unfinished tells the name of what isn't finished, or never will be.
func Unfinished(name string) bool { return strings.HasPrefix(filepath.Base(name), prefix) }

// Write has write make the contents of a file, which gets the mode from the start. A
// file that is there is replaced; one that a symbolic link points at, too. What isn't a
// regular file, such as /dev/stdout, is written as it is. On an error the file is as it
// was before, and nothing else is left.
func Write(name string, mode fs.FileMode, write func(io.Writer) error) error {
	return describe(name, replace(name, mode, write))
}

// WriteBytes is Write for contents that there are.
func WriteBytes(name string, data []byte, mode fs.FileMode) error {
	return Write(name, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func replace(name string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	target := name
	if info, err := os.Stat(name); err == nil {
		if info.IsDir() {
			return &fs.PathError{Op: "write", Path: name, Err: errIsDir}
		}
		if !info.Mode().IsRegular() {
			return through(name, write)
		}
		// The link stays; what it points at is replaced.
		if target, err = filepath.EvalSymlinks(name); err != nil {
			return err
		}
	}
	dir := filepath.Dir(target)
	sweep(dir)
	f, err := create(dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(write(f), f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), target)
}

// create makes a file of mode 0600 that we own.
func create(dir string) (*os.File, error) {
	for {
		f, err := os.CreateTemp(dir, prefix+"*")
		if err != nil || own(f) {
			return f, err
		}
		f.Close()
	}
}

var errIsDir = errors.New("it is a folder; name a file")

// through writes to what can't be replaced.
func through(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// describe has an error name the file that was to be written, not the one that was
// written meanwhile.
func describe(name string, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &path) && (path.Path == name || strings.Contains(path.Path, prefix)):
		err = path.Err
	case errors.As(err, &link) && strings.Contains(link.Old+link.New, prefix):
		err = link.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// sweep removes what killed processes have left in a folder.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // whoever writes there will say why
	}
	for _, e := range entries {
		if !Unfinished(e.Name()) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if f, err := os.Open(name); err == nil {
			if abandoned(f) {
				os.RemoveAll(name)
			}
			f.Close()
		}
	}
}
