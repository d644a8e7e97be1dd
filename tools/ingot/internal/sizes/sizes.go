package sizes

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Size is what something takes of an image, in bytes of the file.
type Size struct {
	Code   int64 `json:"code"`   // instructions
	Data   int64 `json:"data"`   // constants and initialised variables
	Tables int64 `json:"tables"` // what Go's runtime knows of functions and types
}

// Total is the sum.
func (s Size) Total() int64 { return s.Code + s.Data + s.Tables }

func (s *Size) add(o Size) {
	s.Code += o.Code
	s.Data += o.Data
	s.Tables += o.Tables
}

// Package is one Go package, or a name in parentheses for what belongs to none.
type Package struct {
	Path string `json:"path"`
	Part string `json:"part"`
	Size
}

// Part is a group of packages that belong together.
type Part struct {
	Name string `json:"name"`
	Size
}

// Report is what an image is made of, largest first. Zeroed variables are not in it:
// they take no room in the file.
type Report struct {
	Packages []Package `json:"packages"`
	Parts    []Part    `json:"parts"`
	Total    Size      `json:"total"`
}

// ErrNoSymbols says that an image has no symbol table.
var ErrNoSymbols = errors.New("the image has no symbols; build it with --symbols")

// parts say which part a package belongs to: the longest prefix that matches, by
// whole path elements, counts. "std" is for what is left of the standard library,
// "program" for what is left.
var parts = []struct{ prefix, part string }{
	{"ingot.dev/kernel", "kernel and drivers"},
	{"ingot.dev/board", "kernel and drivers"},
	{"ingot.dev/net", "network"},
	{"gvisor.dev/gvisor", "network"},
	{"golang.org/x/exp", "network"}, // gVisor's, as the next three
	{"golang.org/x/net", "network"},
	{"golang.org/x/sys", "network"},
	{"golang.org/x/time", "network"},
	{"github.com/google/btree", "network"},
	{"ingot.dev/tlsio", "TLS"},
	{"ingot.dev/certs", "TLS"},
	{"crypto", "TLS"},
	{"hash", "TLS"},
	{"vendor/golang.org/x/crypto", "TLS"},
	{"golang.org/x/crypto", "TLS"},
	{"math/big", "TLS"},
	{"encoding/asn1", "TLS"},
	{"ingot.dev/firmware", "firmware"},
	{"runtime", "Go's runtime"},
	{"internal/runtime", "Go's runtime"},
	{"internal/abi", "Go's runtime"},
	{"internal/bytealg", "Go's runtime"},
	{"internal/cpu", "Go's runtime"},
	{"internal/goos", "Go's runtime"},
	{runtimeTables, "Go's runtime"},
	{typesAndStrings, "types and strings"},
	{certificates, "certificates"},
}

// Names of what belongs to no package.
const (
	typesAndStrings = "(types and strings)" // descriptors and literals, which have no symbols
	runtimeTables   = "(runtime's tables)"
	certificates    = "(certificates)"
)

func partOf(pkg string) string {
	best, part := -1, ""
	for _, p := range parts {
		if len(p.prefix) > best && (pkg == p.prefix || strings.HasPrefix(pkg, p.prefix+"/")) {
			best, part = len(p.prefix), p.part
		}
	}
	if part != "" {
		return part
	}
	if first, _, _ := strings.Cut(strings.TrimPrefix(pkg, "vendor/"), "/"); !strings.Contains(first, ".") && pkg != "main" || strings.HasPrefix(pkg, "vendor/") {
		return "standard library"
	}
	return "program"
}

// Read takes an image apart. embedded is the size of the certificates in it, which
// are among its strings.
func Read(file string, embedded int64) (*Report, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if errors.Is(err, elf.ErrNoSymbols) || err == nil && len(symbols) == 0 {
		return nil, fmt.Errorf("%s: %w", file, ErrNoSymbols)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	b := builder{packages: map[string]*Package{}, names: map[string]int64{}}
	b.read(f.Sections, symbols)
	if strings := b.of(typesAndStrings); embedded > 0 && embedded <= strings.Tables {
		strings.Tables -= embedded
		b.of(certificates).Data += embedded
	}
	return b.report(), nil
}

// builder collects sizes by package.
type builder struct {
	packages map[string]*Package
	names    map[string]int64 // what function names and records take, by package
}

func (b *builder) of(pkg string) *Package {
	p := b.packages[pkg]
	if p == nil {
		p = &Package{Path: pkg, Part: partOf(pkg)}
		b.packages[pkg] = p
	}
	return p
}

// functionRecord is about what the runtime's tables have on a function beside its
// name: an entry, a record, and its share of the tables of stack maps.
const functionRecord = 100

func (b *builder) read(sections []*elf.Section, symbols []elf.Symbol) {
	left := make([]int64, len(sections)) // bytes that no symbol accounts for
	for i, s := range sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOBITS {
			left[i] = int64(s.Size)
		}
	}
	var names int64
	for _, s := range symbols {
		i := int(s.Section)
		if i <= 0 || i >= len(sections) || left[i] == 0 || s.Size == 0 {
			continue
		}
		size := min(int64(s.Size), left[i])
		left[i] -= size
		name := s.Name
		pkg := packageOf(name)
		switch {
		case sections[i].Flags&elf.SHF_EXECINSTR != 0:
			p := b.of(pkg)
			p.Code += size
			n := int64(len(name)) + functionRecord
			b.names[p.Path] += n
			names += n
		case strings.HasPrefix(name, "type:"), strings.HasPrefix(name, "go:itab."):
			b.of(typesAndStrings).Tables += size
		case strings.HasPrefix(name, "go:"), strings.HasPrefix(name, "runtime.pclntab"), strings.HasPrefix(name, "runtime.findfunctab"):
			b.of(runtimeTables).Tables += size
		default:
			b.of(pkg).Data += size
		}
	}
	var code int64
	for _, p := range b.packages {
		code += p.Code
	}
	for i, s := range sections {
		switch rest := left[i]; {
		case rest == 0:
		case s.Name == ".gopclntab":
			b.divide(rest, names, code)
		case s.Name == ".rodata", s.Name == ".typelink", s.Name == ".itablink":
			b.of(typesAndStrings).Tables += rest
		case s.Flags&elf.SHF_EXECINSTR != 0:
			b.of("(padding)").Code += rest
		default:
			b.of("(" + strings.TrimPrefix(s.Name, ".") + ")").Tables += rest
		}
	}
}

// divide shares the runtime's tables out: records and names of functions as they
// are, the rest, which is about instructions, by code.
func (b *builder) divide(size, names, code int64) {
	names = max(names, 1)
	records := min(names, size)
	rest := size - records
	for path, p := range b.packages {
		p.Tables += records * b.names[path] / names
		if code > 0 {
			p.Tables += rest * p.Code / code
		}
	}
}

func (b *builder) report() *Report {
	r := &Report{}
	byPart := map[string]*Part{}
	for _, p := range b.packages {
		if p.Total() == 0 {
			continue
		}
		r.Packages = append(r.Packages, *p)
		part := byPart[p.Part]
		if part == nil {
			part = &Part{Name: p.Part}
			byPart[p.Part] = part
		}
		part.add(p.Size)
		r.Total.add(p.Size)
	}
	for _, p := range byPart {
		r.Parts = append(r.Parts, *p)
	}
	slices.SortFunc(r.Packages, func(a, b Package) int {
		return cmp.Or(cmp.Compare(b.Total(), a.Total()), strings.Compare(a.Path, b.Path))
	})
	slices.SortFunc(r.Parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Total(), a.Total()), strings.Compare(a.Name, b.Name))
	})
	return r
}

// packageOf returns the package that a symbol belongs to.
func packageOf(symbol string) string {
	name := symbol
	for _, generated := range []string{"type:.eq.", "type:.hash."} { // comparing and hashing values of a type
		name = strings.TrimPrefix(name, generated)
	}
	for strings.HasPrefix(name, "[") { // an array of them
		_, name, _ = strings.Cut(name, "]")
	}
	// Type arguments and receivers may hold paths of other packages.
	if i := strings.IndexAny(name, "[("); i > 0 {
		name = name[:i]
	}
	slash := strings.LastIndexByte(name, '/')
	dot := strings.IndexByte(name[slash+1:], '.')
	if dot < 0 || name[0] == '$' { // the linker's floating-point constants
		return "(assembly)"
	}
	// Dots in a path's last element are escaped in symbols.
	return strings.ReplaceAll(name[:slash+1+dot], "%2e", ".")
}
