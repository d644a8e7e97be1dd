package sizes

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
)

// Variable is a package's variable. One that is zeroed takes RAM, and no room in the
// file.
type Variable struct {
	Name string
	Size int64 // in bytes
}

// Variables lists the variables of an image, largest first. Errors wrap ErrNoSymbols.
func Variables(file string) ([]Variable, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, ErrNoSymbols)
	}
	var list []Variable
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_OBJECT && s.Size > 0 && int(s.Section) < len(f.Sections) && f.Sections[s.Section].Flags&elf.SHF_WRITE != 0 {
			list = append(list, Variable{s.Name, int64(s.Size)})
		}
	}
	slices.SortStableFunc(list, func(a, b Variable) int { return cmp.Compare(b.Size, a.Size) })
	return list, nil
}
