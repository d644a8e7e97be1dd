//go:build unix

package interrupts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot.dev/qemu"
	"ingot.dev/qemu/steps"
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	guest := steps.Build(t, ctx, "ingot.dev/qemu/interrupts/guest", nil)
	functions := guest.Functions(func(name string) bool { return name == function })
	if len(functions) != 1 {
		t.Fatalf("the guest has %d of %s", len(functions), function)
	}
	c := &coverage{start: uint32(functions[0].Value), executed: map[uint32]int{}, hit: map[uint32]bool{}}
	config := qemu.Config{Env: []string{"GOGC=off"}} // a collection would stop the thread that disturbs
	m, err := guest.Run(t, ctx, config, "exec,int", functions, c.read)
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
	start    uint32          // of the function
	calls    int             // of it
	executed map[uint32]int  // how often, every instruction but the function's first
	hit      map[uint32]bool // those of them before which another thread ran

	interrupts, switches int
}

func (c *coverage) String() string {
	text := fmt.Sprintf("before %d of %d instructions another thread ran; %d calls, %d interrupts, %d changes of threads",
		len(c.hit), len(c.executed), c.calls, c.interrupts, c.switches)
	for pc, n := range c.executed {
		if !c.hit[pc] {
			text += fmt.Sprintf("; not before +%#x, executed %d times", pc-c.start, n)
		}
	}
	return text
}

// complete reports whether another thread ran before each instruction that belongs to most
// calls. One that was executed by chance, by who else calls the function when a program
// starts, may never be executed again.
func (c *coverage) complete() bool {
	for pc, n := range c.executed {
		if n > c.calls/2 && !c.hit[pc] {
			return false
		}
	}
	return true
}

// settled is how many calls show all instructions that belong to one.
const settled = 100

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
			if pc != c.start { // before that, it may be another call
				c.executed[pc]++
				if other {
					c.switches++
					c.hit[pc] = true
				}
			} else if c.calls++; c.calls%settled == 0 && c.complete() {
				return nil
			}
			interrupted, other = false, false
		case strings.HasPrefix(line, "Taking exception") && strings.Contains(line, "[IRQ]"):
			interrupted, c.interrupts = true, c.interrupts+1
		case strings.HasPrefix(line, "Taking exception") && strings.Contains(line, "[SVC]"):
			// The first thread makes no system call there. Or it is the signal's handler
			// that returns, which only comes when the other has run.
			other = interrupted
		}
	}
}
