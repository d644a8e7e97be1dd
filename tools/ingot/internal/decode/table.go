package decode

import (
	"debug/elf"
	"debug/gosym"
	"errors"
	"fmt"
)

// ErrNotGo says that a file is no image of a Go program.
var ErrNotGo = errors.New("it has no table of Go functions: give the image that the board runs")

// Table finds the functions of an image. Its methods may be called concurrently.
type Table struct {
	symbols    *gosym.Table
	start, end uint64 // of the instructions
}

// Open reads an image's table of functions, which is there without symbols, too: Go's
// tracebacks need it.
func Open(file string) (*Table, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	text, lines := f.Section(".text"), f.Section(".gopclntab")
	if text == nil || lines == nil {
		return nil, fmt.Errorf("%s: %w", file, ErrNotGo)
	}
	data, err := lines.Data()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	symbols, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil || len(symbols.Funcs) == 0 {
		return nil, fmt.Errorf("%s: %w", file, ErrNotGo)
	}
	return &Table{symbols, text.Addr, text.Addr + text.Size}, nil
}

// Place is an instruction in a program.
type Place struct {
	Function string
	File     string
	Line     int
	Offset   uint64 // from the function's first instruction, in bytes
}

func (p Place) String() string {
	return fmt.Sprintf("%s\n\t%s:%d +%#x", p.Function, p.File, p.Line, p.Offset)
}

// Find returns what is at an address; ok is false for one that is not code of the image.
func (t *Table) Find(pc uint64) (p Place, ok bool) {
	if pc < t.start || pc >= t.end {
		return Place{}, false
	}
	file, line, fn := t.symbols.PCToLine(pc)
	if fn == nil {
		return Place{}, false
	}
	return Place{Function: fn.Name, File: file, Line: line, Offset: pc - fn.Entry}, true
}
