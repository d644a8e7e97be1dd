//go:build unix

package steps

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// Guest is a program for the emulated board.
type Guest struct {
	file    string
	symbols []elf.Symbol // functions, by address
	text    []byte
	base    uint32 // text's address
}

// Build builds the program of a package, with files in place of others (image.Options).
// Without QEMU the test is skipped.
func Build(t testing.TB, ctx context.Context, pkg string, overlay map[string]string) *Guest {
	t.Helper()
	if _, err := qemu.Find(""); err != nil {
		t.Skip(err)
	}
	g := &Guest{file: filepath.Join(t.TempDir(), "guest.elf")}
	if _, err := image.Build(ctx, image.Options{Package: []string{pkg}, Output: g.file, Symbols: true, Overlay: overlay}); err != nil {
		t.Fatal(err)
	}
	if err := g.read(); err != nil {
		t.Fatalf("%s: %v", pkg, err)
	}
	return g
}

func (g *Guest) read() error {
	f, err := elf.Open(g.file)
	if err != nil {
		return err
	}
	defer f.Close()
	section := f.Section(".text")
	if section == nil {
		return errors.New("no code")
	}
	g.base = uint32(section.Addr)
	if g.text, err = section.Data(); err != nil {
		return err
	}
	all, err := f.Symbols()
	if err != nil {
		return err
	}
	g.symbols = slices.DeleteFunc(all, func(s elf.Symbol) bool { return elf.ST_TYPE(s.Info) != elf.STT_FUNC })
	slices.SortFunc(g.symbols, func(a, b elf.Symbol) int { return int(a.Value) - int(b.Value) })
	return nil
}

// Functions returns those whose names are wanted, by address.
func (g *Guest) Functions(wanted func(name string) bool) []elf.Symbol {
	var list []elf.Symbol
	for _, s := range g.symbols {
		if wanted(s.Name) {
			list = append(list, s)
		}
	}
	return list
}

// Instruction returns the one at an address of a function.
func (g *Guest) Instruction(pc uint32) uint32 {
	return binary.LittleEndian.Uint32(g.text[pc-g.base:])
}

// Run boots the guest and has read read QEMU's log, as it is written: of the functions only,
// and of what is named, as in QEMU's -d ("exec,int"). It returns when read does. The guest
// goes on until it or the test ends; what it is logged to do then is dropped.
func (g *Guest) Run(t testing.TB, ctx context.Context, config qemu.Config, items string, functions []elf.Symbol, read func(log io.Reader) error) (*qemu.Machine, error) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(log, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		f, err := os.Open(log) // until there is one that writes
		if err != nil {
			done <- err
			return
		}
		defer f.Close()
		done <- read(f)
		io.Copy(io.Discard, f)
	}()
	var filter []string
	for _, s := range functions {
		filter = append(filter, fmt.Sprintf("%#x+%#x", s.Value, s.Size))
	}
	config.Image = g.file
	config.ICount = qemu.ICountDeterministic
	config.ExtraArgs = append(config.ExtraArgs, "-singlestep", "-d", "nochain,"+items, "-dfilter", strings.Join(filter, ","), "-D", log)
	m, err := qemu.Start(ctx, config)
	if err != nil {
		// Let the reader go, if nobody did.
		if f, err := os.OpenFile(log, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			f.Close()
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Stop() })
	return m, <-done
}
