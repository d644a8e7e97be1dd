package devtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// FailedError says that go test ended with a status other than 0. What there is to
// say about it has been printed.
type FailedError struct{ Code int }

func (e *FailedError) Error() string { return fmt.Sprintf("go test ended with status %d", e.Code) }

// Options says what to test.
type Options struct {
	// Image is how to build; its Package names what to test, see image.PrepareTests.
	Image image.Options
	// Flags are given to go test.
	Flags []string
	// Args are given to the test binaries, behind go test's -args.
	Args []string
	// Env, Network and ICount are the machines': see qemu.Config.
	Env     []string
	Network bool
	ICount  string
	// Exec is the program, and its first arguments, that runs a test binary: one that
	// calls Boot with the arguments that follow them.
	Exec []string
	// Out and Err receive what go test prints.
	Out, Err io.Writer
	// Watch, if set, is called every second until the tests are done, with what is
	// running on a machine at that moment: names of test binaries.
	Watch func(running []string)
}

// machineVar is the environment variable that tells Boot about the machine.
const machineVar = "INGOT_TEST_MACHINE"

// machine is what Boot has to know, and go test can't tell it.
type machine struct {
	Board   string
	Env     []string
	Network bool
	ICount  string
	// Running is a folder in which each Boot has a file, as long as its machine runs.
	Running string
}

// afterInterrupt is how long go test may take to end when it was interrupted.
const afterInterrupt = 15 * time.Second

// Run tests packages. The error is a *FailedError if a test failed or could not be
// built; others are about the run as a whole, and wrap those of packages qemu and
// image.
func Run(ctx context.Context, o Options) error {
	if _, err := qemu.Find(o.Image.Board); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ingot-test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tests, err := image.PrepareTests(ctx, o.Image, dir)
	if err != nil {
		return err
	}
	if tests.Portable != "" && !o.Image.NoARMAsm && o.Err != nil {
		im := image.Image{Assembly: tests.Assembly, Portable: tests.Portable}
		fmt.Fprintf(o.Err, "note: %s\n", im.Ciphers())
	}
	m := machine{Board: o.Image.Board, Env: o.Env, Network: o.Network, ICount: o.ICount, Running: filepath.Join(dir, "running")}
	if err := os.Mkdir(m.Running, 0o700); err != nil {
		return err
	}
	setting, err := json.Marshal(m)
	if err != nil {
		return err
	}
	command, err := quote(o.Exec)
	if err != nil {
		return err
	}
	args := append([]string{"test", "-exec", command}, tests.Args...)
	args = append(args, o.Flags...)
	args = append(args, tests.Packages...)
	if len(o.Args) > 0 {
		args = append(append(args, "-args"), o.Args...)
	}
	gocmd := tests.Go
	if gocmd == "" {
		gocmd = "go"
	}
	cmd := exec.CommandContext(ctx, gocmd, args...)
	cmd.Dir = o.Image.Dir
	cmd.Env = append(tests.Env, machineVar+"="+string(setting))
	cmd.Stdout, cmd.Stderr = o.Out, o.Err
	isolate(cmd)
	cmd.Cancel = func() error { return interruptGroup(cmd.Process) }
	cmd.WaitDelay = afterInterrupt
	if o.Watch != nil {
		stop := watch(m.Running, o.Watch)
		defer stop()
	}
	// The signal that Linux sends the go command when we die is bound to the thread
	// that started it (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &exit) && exit.Exited():
		return &FailedError{exit.ExitCode()}
	case err != nil:
		return fmt.Errorf("go test: %w", err)
	}
	return nil
}

// quote writes a command the way that go test's -exec takes it: separated by spaces,
// and in one or the other kind of quotes what has spaces itself ("go help run").
func quote(command []string) (string, error) {
	var words []string
	for _, w := range command {
		switch {
		case w != "" && !strings.ContainsAny(w, " \t\n\r'\""):
		case !strings.Contains(w, "'"):
			w = "'" + w + "'"
		case !strings.Contains(w, `"`):
			w = `"` + w + `"`
		default:
			return "", fmt.Errorf("%s: go test can't run a program with both kinds of quotes in its name", w)
		}
		words = append(words, w)
	}
	return strings.Join(words, " "), nil
}

// watch calls f every second with the names in dir, until stop is called and has
// returned.
func watch(dir string, f func([]string)) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			var running []string
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				_, name, _ := strings.Cut(e.Name(), "-")
				running = append(running, name)
			}
			f(running)
		}
	}()
	return func() { close(end); <-ended }
}
