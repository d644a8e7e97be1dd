package kernel_test

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"fmt"
	"slices"
)

func mainContext() context.Context { return context.Background() }

// openImage reads what the tests need of an ELF file.
func openImage(file []byte) (*builtImage, error) {
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	im := &builtImage{File: f}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	for _, s := range symbols {
		if s.Size > 0 {
			im.symbols = append(im.symbols, s)
		}
	}
	slices.SortFunc(im.symbols, func(a, b elf.Symbol) int { return cmp.Compare(a.Value, b.Value) })
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			im.base = uint32(p.Vaddr)
			im.code = file[p.Off:][:p.Filesz]
			return im, nil
		}
	}
	return nil, fmt.Errorf("no executable segment")
}
