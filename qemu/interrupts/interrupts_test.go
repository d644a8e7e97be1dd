//go:build unix

package interrupts

import (
	"bufio"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// function is the one that is looked at: it takes all of NEON's registers. The other
// thread calls those of SHA-512.
const function = "ingot.dev/internal/armcrypto/chacha20.xorTriplesARM"

// patience is much more than it takes.
const patience = 20 * time.Minute

func TestEveryInstruction(t *testing.T) {
	if testing.Short() {
		t.Skip("runs some hundred million instructions one by one")
	}
	if _, err := exec.LookPath("qemu-system-arm"); err != nil {
		t.Skip("needs qemu-system-arm")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	file := filepath.Join(dir, "guest.elf")
	if _, err := image.Build(ctx, image.Options{Package: []string{"ingot.dev/qemu/interrupts/guest"}, Output: file, Symbols: true}); err != nil {
		t.Fatal(err)
	}
	c, err := newCoverage(file)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
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
		done <- c.read(f)
		io.Copy(io.Discard, f)
	}()
	m, err := qemu.Start(ctx, qemu.Config{
		Image:     file,
		Env:       []string{"GOGC=off"}, // a collection would stop the thread that disturbs
		ICount:    qemu.ICountDeterministic,
		ExtraArgs: []string{"-singlestep", "-d", "nochain,exec,int", "-dfilter", fmt.Sprintf("%#x+%#x", c.symbol.Value, c.symbol.Size), "-D", log},
	})
	if err != nil {
		// Let the reader go, if nobody did.
		if f, err := os.OpenFile(log, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			f.Close()
		}
		t.Fatal(err)
	}
	defer m.Stop()
	err = <-done
	select {
	case <-m.Done():
		code, waitErr := m.Wait()
		t.Fatalf("the guest ended with %d, %v: %v; %s\n%s", code, waitErr, err, c, m.ConsoleTail())
	default:
	}
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, c, m.ConsoleTail())
	}
	if strings.Contains(m.Console(), "wrong") {
		t.Errorf("%s", m.ConsoleTail())
	}
	t.Log(c)
}

// coverage is where interrupts came.
type coverage struct {
	symbol   elf.Symbol
	executed map[uint32]bool // every instruction but the function's first
	hit      map[uint32]bool // those of them before which another thread ran

	interrupts, switches int
}

func newCoverage(file string) (*coverage, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	c := &coverage{executed: map[uint32]bool{}, hit: map[uint32]bool{}}
	i := slices.IndexFunc(all, func(s elf.Symbol) bool { return s.Name == function })
	if i < 0 {
		return nil, fmt.Errorf("the guest has no %s", function)
	}
	c.symbol = all[i]
	return c, nil
}

func (c *coverage) String() string {
	return fmt.Sprintf("before %d of %d instructions another thread ran; %d interrupts, %d changes of threads", len(c.hit), len(c.executed), c.interrupts, c.switches)
}

// settled is after how many instructions without a new one all have been seen that are
// executed at all: some computations.
const settled = 20_000

// read reads QEMU's log until there was an interrupt, and another thread, before each
// instruction. In the log are lines about the functions' instructions, which only one
// thread executes, and about exceptions:
//
//	Trace 0: 0x7f0e18000100 [00800400/8001a5c8/00000110/ff000201] function
//	Stopped execution of TB chain before 0x7f0e18000100 [8001a5c8] function
//	Taking exception 5 [IRQ] on CPU 0
//	Taking exception 2 [SVC] on CPU 0
func (c *coverage) read(log io.Reader) error {
	in := bufio.NewReaderSize(log, 1<<20)
	interrupted, other := false, false // since the last of these instructions: and that the other thread ran
	unchanged := 0                     // instructions since a new one
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return errors.New("the guest ended before there was an interrupt everywhere")
		}
		switch {
		case strings.HasPrefix(line, "Trace"):
			fields := strings.SplitN(line, "/", 3)
			if len(fields) != 3 {
				return fmt.Errorf("can't read %q", line)
			}
			v, err := strconv.ParseUint(fields[1], 16, 32)
			if err != nil {
				return fmt.Errorf("can't read %q", line)
			}
			pc := uint32(v)
			unchanged++
			if pc != uint32(c.symbol.Value) { // before that, it may be another call
				if !c.executed[pc] {
					c.executed[pc], unchanged = true, 0
				}
				if other {
					c.switches++
					c.hit[pc] = true
				}
			}
			interrupted, other = false, false
			if unchanged > settled && len(c.hit) == len(c.executed) {
				return nil
			}
		case strings.HasPrefix(line, "Taking exception") && strings.Contains(line, "[IRQ]"):
			interrupted, c.interrupts = true, c.interrupts+1
		case strings.HasPrefix(line, "Taking exception") && strings.Contains(line, "[SVC]"):
			// The first thread makes no system call there. Or it is the signal's handler
			// that returns, which only comes when the other has run.
			other = interrupted
		}
	}
}
