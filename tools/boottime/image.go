package boottime

import (
	"debug/elf"
	"errors"
	"fmt"
	"strings"
)

// An image is what there is to know of an ELF file: where functions are, and which
// package an initialization belongs to.
type image struct {
	functions map[string]uint32
	packages  map[uint32]string // by address of what Go's runtime has for an initialization
}

// ErrNoSymbols says that an image was built without symbols.
var ErrNoSymbols = errors.New("the image has no symbols: build it with --symbols")

const initTask = "..inittask"

func readImage(file string) (*image, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, ErrNoSymbols)
	}
	im := &image{functions: make(map[string]uint32), packages: make(map[uint32]string)}
	for _, s := range symbols {
		if pkg, ok := strings.CutSuffix(s.Name, initTask); ok {
			im.packages[uint32(s.Value)] = strings.ReplaceAll(pkg, "%2e", ".")
		} else if elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			im.functions[s.Name] = uint32(s.Value)
		}
	}
	return im, nil
}
