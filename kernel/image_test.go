package kernel_test

import (
	"bufio"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ingot.dev/board/boards"
	"ingot.dev/internal/testenv"
	"ingot.dev/tools/image"
)

// These tests look at the kernel as the compiler and the linker made it. Kernel
// code runs without Go's runtime below it: on its own stack, with a g that is
// hardly one, while user mode may be anywhere in the runtime's code. So it may call
// almost nothing of the runtime, and must not even look at memory that the program
// can write. What it does call is in testdata/calls.txt; what else of the program it
// mentions, in testdata/references.txt.

// A builtImage is an image in pieces.
type builtImage struct {
	*elf.File
	symbols []elf.Symbol // with a size, by address
	code    []byte       // of the text segment
	base    uint32       // its address
}

var selftestImage = sync.OnceValues(func() (*builtImage, error) {
	dir, err := os.MkdirTemp("", "ingot-kernel-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "selftest.elf")
	_, err = image.Build(mainContext(), image.Options{Package: []string{"ingot.dev/qemu/selftest"}, Output: path, Symbols: true})
	if err != nil {
		return nil, err
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return openImage(file)
})

func builtSelftest(t *testing.T) *builtImage {
	t.Helper()
	testenv.NeedProcess(t)
	if testing.Short() {
		t.Skip("builds an image")
	}
	im, err := selftestImage()
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// symbol returns the symbol that address a belongs to.
func (im *builtImage) symbol(a uint32) (elf.Symbol, bool) {
	i, found := slices.BinarySearchFunc(im.symbols, uint64(a), func(s elf.Symbol, a uint64) int { return cmp.Compare(s.Value, a) })
	if !found {
		i--
	}
	if i < 0 || uint64(a) >= im.symbols[i].Value+im.symbols[i].Size {
		return elf.Symbol{}, false
	}
	return im.symbols[i], true
}

func (im *builtImage) named(t *testing.T, name string) elf.Symbol {
	t.Helper()
	for _, s := range im.symbols {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("the image has no symbol %s", name)
	panic("unreachable")
}

func (im *builtImage) word(a uint32) uint32 { return binary.LittleEndian.Uint32(im.code[a-im.base:]) }

// isKernel tells whether a symbol is the kernel's: package kernel, and its and the
// board's assembly.
func isKernel(name string) bool {
	return strings.HasPrefix(name, "ingot.dev/kernel.") || strings.HasPrefix(name, "vector_") ||
		slices.Contains([]string{"enter_kernel", "leave_kernel", "kernel_fault", "imx6ulevk_entry"}, name)
}

// kernelFunctions returns the kernel's functions.
func (im *builtImage) kernelFunctions() []elf.Symbol {
	var list []elf.Symbol
	for _, s := range im.symbols {
		if isKernel(s.Name) && elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			list = append(list, s)
		}
	}
	return list
}

// scan goes through a function's instructions and the constants between them,
// which a load relative to the PC announces.
func (im *builtImage) scan(f elf.Symbol, instruction, constant func(at, w uint32)) {
	literals := map[uint32]bool{}
	for at := uint32(f.Value); at < uint32(f.Value+f.Size); at += 4 {
		w := im.word(at)
		if literals[at] {
			constant(at, w)
			continue
		}
		if w>>28 != 0xf && w&0x0f3f0000 == 0x051f0000 { // ldr Rt, [pc, #±imm], also strb & co., which don't occur
			offset := w & 0xfff
			if w&(1<<23) == 0 {
				offset = -offset
			}
			literals[at+8+offset] = true
		}
		instruction(at, w)
	}
}

// branch returns the target of a B or BL at address at.
func branch(at, w uint32) (uint32, bool) {
	if w>>28 == 0xf || w&0x0e000000 != 0x0a000000 {
		return 0, false
	}
	return at + 8 + uint32(int32(w<<8)>>6), true
}

// readList reads the names of a file in testdata: one a line, # begins a comment.
func readList(t *testing.T, name string) map[string]bool {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		line, _, _ := strings.Cut(s.Text(), "#")
		if line = strings.TrimSpace(line); line != "" {
			list[line] = true
		}
	}
	return list
}

func TestCallsOutOfTheKernel(t *testing.T) {
	im := builtSelftest(t)
	allowed := readList(t, "calls.txt")
	functions := im.kernelFunctions()
	if len(functions) < 150 {
		t.Fatalf("found only %d functions of the kernel", len(functions))
	}
	calls, inside := map[string][]string{}, 0
	for _, f := range functions {
		im.scan(f, func(at, w uint32) {
			target, ok := branch(at, w)
			if !ok || uint64(target) >= f.Value && uint64(target) < f.Value+f.Size {
				return
			}
			to, ok := im.symbol(target)
			switch {
			case !ok:
				t.Errorf("%s at %#x jumps to %#x, where no function is", f.Name, at, target)
			case isKernel(to.Name):
				inside++
			default:
				if !slices.Contains(calls[to.Name], f.Name) {
					calls[to.Name] = append(calls[to.Name], f.Name)
				}
			}
		}, func(_, _ uint32) {})
	}
	if inside < 300 || len(calls["runtime.morestack_noctxt"]) < 50 {
		t.Errorf("found %d calls inside the kernel and %d to morestack: the scan does not work", inside, len(calls["runtime.morestack_noctxt"]))
	}
	for name, from := range calls {
		if !allowed[name] {
			t.Errorf("kernel code calls %s, in %s; testdata/calls.txt says what it may call", name, strings.Join(from[:min(3, len(from))], ", "))
		}
	}
}

func TestReferencesOutOfTheKernel(t *testing.T) {
	im := builtSelftest(t)
	allowed := readList(t, "references.txt")
	found := map[string]bool{}
	writable := func(a uint32) bool {
		for _, p := range im.Progs {
			if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 && uint64(a) >= p.Vaddr && uint64(a) < p.Vaddr+p.Memsz {
				return true
			}
		}
		return false
	}
	constants := 0
	for _, f := range im.kernelFunctions() {
		im.scan(f, func(_, _ uint32) {}, func(at, w uint32) {
			constants++
			s, ok := im.symbol(w)
			if ok && found[s.Name] {
				return
			}
			switch {
			case writable(w) && !allowed[s.Name]:
				t.Errorf("%s uses %s at %#x, which the program can write", f.Name, s.Name, w)
			case ok && !isKernel(s.Name) && !allowed[s.Name] && !strings.HasPrefix(s.Name, "go:string."):
				t.Errorf("%s refers to %s; testdata/references.txt says what it may refer to", f.Name, s.Name)
			}
			if ok {
				found[s.Name] = true
			}
		})
	}
	if constants < 100 {
		t.Errorf("found only %d constants in the code: the scan does not work", constants)
	}
	for name := range allowed {
		if !found[name] {
			t.Errorf("nothing in the kernel refers to %s, which testdata/references.txt has", name)
		}
	}
}

// TestNoFloatingPoint: the VFP holds the registers of some thread while the kernel
// runs.
func TestNoFloatingPoint(t *testing.T) {
	im := builtSelftest(t)
	seen := map[string]bool{}
	for _, f := range im.kernelFunctions() {
		im.scan(f, func(at, w uint32) {
			vfp := w>>28 != 0xf && (w&0x0e000000 == 0x0c000000 || w&0x0f000000 == 0x0e000000) && w&0xe00 == 0xa00
			neon := w>>25 == 0xf2>>1 || w>>24 == 0xf4 && w&0x00100000 == 0
			if !vfp && !neon {
				return
			}
			seen[f.Name] = true
			switch f.Name {
			case "ingot.dev/kernel.storeVFP", "ingot.dev/kernel.loadVFP", "ingot.dev/kernel.start":
			default:
				t.Errorf("%s has the floating point instruction %#08x at %#x", f.Name, w, at)
			}
		}, func(_, _ uint32) {})
	}
	if len(seen) < 3 {
		t.Errorf("floating point instructions only in %v: the scan does not work", seen)
	}
}

func TestSegments(t *testing.T) {
	im := builtSelftest(t)
	board, err := boards.ByName("")
	if err != nil {
		t.Fatal(err)
	}
	if entry := im.named(t, board.EntryName); im.Entry != entry.Value {
		t.Errorf("entry point %#x, want that of %s, %#x", im.Entry, board.EntryName, entry.Value)
	}
	var flags []elf.ProgFlag
	end := uint64(0)
	for _, p := range im.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		flags = append(flags, p.Flags)
		if p.Vaddr&0xfff != 0 || p.Vaddr < end {
			t.Errorf("segment at %#x does not begin on a page of its own", p.Vaddr)
		}
		end = p.Vaddr + p.Memsz
	}
	want := []elf.ProgFlag{elf.PF_R | elf.PF_X, elf.PF_R, elf.PF_R | elf.PF_W}
	if !slices.Equal(flags, want) {
		t.Errorf("segments have the rights %v, want %v", flags, want)
	}
	// The kernel reads the headers in RAM.
	if first := im.Progs[slices.IndexFunc(im.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_LOAD })]; first.Off != 0 || first.Vaddr != uint64(board.TextAddr)-0x1000 {
		t.Errorf("first segment: offset %#x at %#x, want the ELF header at %#x", first.Off, first.Vaddr, board.TextAddr-0x1000)
	}
}

// TestVDSOCode: the function is copied to another page to run there.
func TestVDSOCode(t *testing.T) {
	im := builtSelftest(t)
	f := im.named(t, "ingot.dev/kernel.vdsoClockGettime")
	if f.Size > 512 { // vdsoCodeSize
		t.Errorf("the code has %d bytes, 512 are copied", f.Size)
	}
	n := 0
	im.scan(f, func(at, w uint32) {
		n++
		if target, ok := branch(at, w); ok && (uint64(target) < f.Value || uint64(target) >= f.Value+f.Size) {
			t.Errorf("instruction at %#x jumps out, to %#x", at, target)
		}
	}, func(at, w uint32) {
		if s, ok := im.symbol(w); ok {
			t.Errorf("constant at %#x is the address of %s", at, s.Name)
		}
	})
	if n < 40 {
		t.Errorf("found %d instructions", n)
	}
}
