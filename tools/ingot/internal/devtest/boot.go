package devtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"ingot.dev/qemu"
)

// ErrNoMachine says that Boot was not called by Run's go test.
var ErrNoMachine = errors.New("is for 'ingot test' alone to call")

// errTimeout is a machine that go test asked to end. A test binary sees to its time
// limit itself and says where it was; go test only asks when that did not happen, a
// minute later.
var errTimeout = errors.New("the machine does not react: its tests neither ended nor said that their time is up")

// hostFlags of a test binary name files of the machine that go test runs on. Only go
// test itself reads these files, and can do without.
var hostFlags = []string{"-test.testlogfile", "-test.outputdir", "-test.gocoverdir", "-test.fuzzcachedir"}

// Boot runs a test binary, an image, with its flags: args are what go test calls the
// program of its -exec with. It returns the status to end with, and copies what is on
// the board's console to out, all of which is what a test binary would have done.
func Boot(ctx context.Context, args []string, out io.Writer) (int, error) {
	setting, ok := os.LookupEnv(machineVar)
	if !ok || len(args) == 0 {
		return 0, ErrNoMachine
	}
	var m machine
	if err := json.Unmarshal([]byte(setting), &m); err != nil {
		return 0, fmt.Errorf("%s: %w", machineVar, err)
	}
	file := args[0]
	defer announce(m.Running, strings.TrimSuffix(filepath.Base(file), ".test"))()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer cancelOnQuit(cancel)()
	defer cancelWhenAlone(cancel)()
	vm, err := qemu.Start(ctx, qemu.Config{
		Image:   file,
		Board:   m.Board,
		Env:     m.Env,
		Args:    guestArgs(args[1:]),
		Network: m.Network,
		ICount:  m.ICount,
		Console: &lines{w: out},
	})
	if err != nil {
		return 0, err
	}
	defer vm.Stop()
	code, err := vm.Wait()
	if err != nil && ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return code, err
}

// guestArgs are the arguments without those that a board can't follow.
func guestArgs(args []string) []string {
	// -args ends the flags of a test binary: what follows is the test's own.
	end := slices.Index(args, "-args")
	if end < 0 {
		end = len(args)
	}
	var kept []string
	for i, a := range args {
		name, _, _ := strings.Cut(a, "=")
		if i < end && slices.Contains(hostFlags, name) {
			continue
		}
		kept = append(kept, a)
	}
	return kept
}

// announce has a file say that the tests named run on a machine, until done is called.
// That is for somebody to look at, so it doesn't matter if it can't be.
func announce(dir, name string) (done func()) {
	f, err := os.CreateTemp(dir, "*-"+name)
	if err != nil {
		return func() {}
	}
	f.Close()
	return func() { os.Remove(f.Name()) }
}

// cancelOnQuit cancels at SIGQUIT, which is how go test asks a test binary to end.
func cancelOnQuit(cancel context.CancelCauseFunc) (stop func()) {
	quit, end := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(quit, syscall.SIGQUIT)
	go func() {
		select {
		case <-quit:
			cancel(errTimeout)
		case <-end:
		}
	}()
	return func() { signal.Stop(quit); close(end) }
}

// cancelWhenAlone cancels when the go command that started us is gone: killed, and
// nobody is there to read what the tests say.
func cancelWhenAlone(cancel context.CancelCauseFunc) (stop func()) {
	parent, end := os.Getppid(), make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				if os.Getppid() != parent {
					cancel(errors.New("the go command is gone"))
					return
				}
			}
		}
	}()
	return func() { close(end) }
}

// lines turns the ends of a console's lines, CR LF, into those of a program: LF. The
// kernel puts a CR before every LF.
type lines struct {
	w  io.Writer
	cr bool // the last byte was a CR, which is not written yet
}

func (l *lines) Write(p []byte) (int, error) {
	var b bytes.Buffer
	for _, c := range p {
		if l.cr && c != '\n' {
			b.WriteByte('\r')
		}
		if l.cr = c == '\r'; !l.cr {
			b.WriteByte(c)
		}
	}
	if _, err := l.w.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
