package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"ingot.dev/board/boards"
)

// Errors that Start, Wait and WaitConsole wrap.
var (
	// ErrNoQEMU says that the emulator is not installed.
	ErrNoQEMU = errors.New("QEMU is not installed")
	// ErrPortTaken says that a forward's HostPort or the debugger's is in use.
	ErrPortTaken = errors.New("port is in use")
	// ErrReset says that the guest reset the machine, by its watchdog
	// or by other means.
	ErrReset = errors.New("the guest reset the machine")
	// ErrStopped says that the machine was ended by Stop or its context.
	ErrStopped = errors.New("the machine was stopped")
	// ErrExited says that the machine ended before a console line came.
	ErrExited = errors.New("the machine ended")
)

// A Machine is a running emulator. Its methods may be called concurrently.
type Machine struct {
	config   Config
	forwards []Forward
	args     []string
	started  time.Time

	cmd     *exec.Cmd
	stderr  *limitedBuffer
	console *console
	control net.Conn // our end of the control socket
	input   io.WriteCloser

	stopOnce sync.Once
	stop     chan struct{} // closed by Stop: kill QEMU

	done chan struct{} // closed when QEMU is gone; guards what follows
	code int
	err  error
}

// startAttempts bounds how often Start chooses other ports.
const startAttempts = 10

// Start boots cfg.Image and returns once its processor runs or, with a debugger,
// once that can attach. The machine ends
// when its program exits, when Stop is called or when ctx ends.
//
// Errors wrap ErrNoQEMU, ErrPortTaken (for a port that cfg names; others are
// replaced), fs.ErrNotExist (the image), bootparam.ErrInvalid, or show what
// QEMU had to say.
func Start(ctx context.Context, cfg Config) (*Machine, error) {
	board, err := boards.ByName(cfg.Board)
	if err != nil {
		return nil, fmt.Errorf("qemu: %w", err)
	}
	if cfg.Image == "" {
		return nil, errors.New("qemu: no image")
	}
	if _, err := os.Stat(cfg.Image); err != nil {
		return nil, fmt.Errorf("qemu: image: %w", err)
	}
	block, err := cfg.bootBlock()
	if err != nil {
		return nil, fmt.Errorf("qemu: %w", err)
	}
	binary, err := findBinary(cfg, board)
	if err != nil {
		return nil, err
	}
	asked := cfg.DebuggerPort
	for attempt := 1; ; attempt++ {
		forwards, err := choosePorts(cfg.Forwards)
		if err != nil {
			return nil, err
		}
		cfg := cfg // with its port
		if err := chooseDebuggerPort(&cfg, forwards); err != nil {
			return nil, err
		}
		m, err := launch(ctx, cfg, board, binary, forwards, block)
		if err == nil {
			return m, nil
		}
		if m != nil && debuggerPortTaken(m.stderr.String(), cfg.DebuggerPort) {
			if asked == 0 && attempt < startAttempts {
				continue
			}
			return nil, fmt.Errorf("qemu: 127.0.0.1:%d for the debugger: %w", cfg.DebuggerPort, ErrPortTaken)
		}
		if m != nil { // QEMU ran, and refused
			if f, taken := portTaken(m.stderr.String(), forwards); taken {
				if !wanted(cfg.Forwards, f) && attempt < startAttempts {
					continue
				}
				return nil, fmt.Errorf("qemu: 127.0.0.1:%d for the guest's port %d: %w", f.HostPort, f.GuestPort, ErrPortTaken)
			}
		}
		return nil, err
	}
}

// wanted reports whether f's host port is one the caller asked for by number.
func wanted(asked []Forward, f Forward) bool {
	for _, a := range asked {
		if a.HostPort == f.HostPort {
			return true
		}
	}
	return false
}

// Find returns the path of the QEMU program that Start would use for a board.
// The error wraps ErrNoQEMU, and names the Debian package, when there is none.
func Find(board string) (string, error) {
	b, err := boards.ByName(board)
	if err != nil {
		return "", fmt.Errorf("qemu: %w", err)
	}
	return findBinary(Config{}, b)
}

func findBinary(cfg Config, board boards.Board) (string, error) {
	name := cfg.Binary
	if name == "" {
		name = board.QEMU.Binary
	}
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("qemu: %w: no %s; on Debian: apt-get install %s", ErrNoQEMU, name, board.QEMU.Package)
	}
	if err != nil {
		return "", fmt.Errorf("qemu: %w", err)
	}
	return path, nil
}

// launch makes one attempt. When QEMU was started but refused to run, the
// machine is returned beside the error, ended.
func launch(ctx context.Context, cfg Config, board boards.Board, binary string, forwards []Forward, block []byte) (*Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("qemu: %w", context.Cause(ctx))
	}
	dir, err := os.MkdirTemp("", "ingot-qemu-")
	if err != nil {
		return nil, fmt.Errorf("qemu: %w", err)
	}
	// QEMU has read its files when it answers on the control socket.
	defer os.RemoveAll(dir)
	blockFile := filepath.Join(dir, "bootparam")
	if err := os.WriteFile(blockFile, block, 0o600); err != nil { // it holds the seed
		return nil, fmt.Errorf("qemu: %w", err)
	}

	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("qemu: control socket: %w", err)
	}
	defer theirs.Close()
	out, outW, err := os.Pipe()
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("qemu: %w", err)
	}
	defer outW.Close()

	const qmpFD = 3 // the first of cmd.ExtraFiles
	m := &Machine{
		config:   cfg,
		forwards: forwards,
		args:     append([]string{binary}, cfg.commandLine(board, forwards, blockFile, qmpFD)...),
		stderr:   &limitedBuffer{},
		console:  newConsole(cfg.Console),
		control:  ours,
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	m.cmd = exec.Command(m.args[0], m.args[1:]...)
	m.cmd.Stdout = outW
	m.cmd.Stderr = m.stderr
	m.cmd.ExtraFiles = []*os.File{theirs}
	if m.input, err = m.cmd.StdinPipe(); err != nil {
		ours.Close()
		out.Close()
		return nil, fmt.Errorf("qemu: %w", err)
	}
	m.cmd.WaitDelay = 5 * time.Second
	isolate(m.cmd)

	startErr := make(chan error)
	reason := make(chan string, 1)
	go m.run(ctx, out, startErr, reason)
	if err := <-startErr; err != nil {
		ours.Close()
		out.Close()
		return nil, fmt.Errorf("qemu: %w", err)
	}
	theirs.Close()
	outW.Close()

	q, err := newQMP(ours, !cfg.Debugger)
	if err != nil {
		reason <- ""
		m.Stop()
		if ctx.Err() != nil {
			return m, fmt.Errorf("qemu: %w", context.Cause(ctx))
		}
		if msg := strings.TrimSpace(m.stderr.String()); msg != "" {
			return m, fmt.Errorf("qemu: %s", msg)
		}
		return m, fmt.Errorf("qemu: %s did not start: %w", binary, err)
	}
	go func() { reason <- q.shutdownReason() }()
	return m, nil
}

// run starts QEMU and sees it to its end. It stays on one system thread: the
// signal that Linux sends QEMU when its parent dies is bound to the thread
// that started it (prctl(2), PR_SET_PDEATHSIG).
func (m *Machine) run(ctx context.Context, out *os.File, startErr chan<- error, reason <-chan string) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m.started = time.Now()
	if err := m.cmd.Start(); err != nil {
		startErr <- err
		return
	}
	startErr <- nil

	exited := make(chan struct{})
	killed := make(chan error, 1)
	go func() {
		var cause error
		select {
		case <-exited:
			killed <- nil
			return
		case <-m.stop:
			cause = ErrStopped
		case <-ctx.Done():
			cause = fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))
		}
		killGroup(m.cmd.Process)
		killed <- cause
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer out.Close()
		m.console.read(out)
	}()

	err := m.cmd.Wait()
	close(exited)
	<-read
	cause := <-killed
	why := <-reason
	m.control.Close()
	m.code, m.err = m.verdict(err, cause, why)
	close(m.done)
}

// verdict turns the ways in which QEMU can end into Wait's results.
func (m *Machine) verdict(waitErr, killed error, reason string) (int, error) {
	code := m.cmd.ProcessState.ExitCode()
	switch {
	case code < 0 && killed != nil:
		return -1, fmt.Errorf("qemu: %w", killed)
	case code < 0:
		return -1, fmt.Errorf("qemu: QEMU ended by %v: %s", waitErr, strings.TrimSpace(m.stderr.String()))
	case reason == "guest-reset":
		return -1, fmt.Errorf("qemu: %w", ErrReset)
	}
	return code, nil
}

// Done returns a channel that is closed when the machine has ended.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Wait waits until the machine has ended and returns the exit status of the
// guest's program. Without one it returns -1 and an error that wraps ErrReset,
// ErrStopped or tells how QEMU itself failed.
func (m *Machine) Wait() (int, error) {
	<-m.done
	return m.code, m.err
}

// Stop ends the machine as if by pulling the plug, and returns when it is
// gone. It does nothing to a machine that has ended.
func (m *Machine) Stop() {
	m.stopOnce.Do(func() { close(m.stop) })
	m.control.Close()
	select {
	case <-m.done:
	case <-time.After(30 * time.Second):
		// SIGKILL can only be outlasted in an uninterruptible wait
		// of the host's own; there is nothing more to be done then.
	}
}

// Console returns what the guest has printed so far.
func (m *Machine) Console() string { return m.console.String() }

// ConsoleTail returns the last lines of the console, for error messages.
func (m *Machine) ConsoleTail() string { return m.console.tail() }

// WaitConsole waits until the console, from the machine's start, has a match
// of re, and returns it with its subexpressions as FindStringSubmatch does.
// Errors show the last lines of the console; they wrap ErrExited when the
// machine ended without a match, or what ended ctx.
func (m *Machine) WaitConsole(ctx context.Context, re *regexp.Regexp) ([]string, error) {
	match, err := m.console.wait(ctx, re)
	if match != nil {
		return match, nil
	}
	if err == nil {
		code, werr := m.Wait()
		err = fmt.Errorf("%w with status %d", ErrExited, code)
		if werr != nil {
			err = fmt.Errorf("%w: %w", ErrExited, werr)
		}
	}
	return nil, fmt.Errorf("qemu: waiting for %q on the console: %w; %s", re, err, m.console.tail())
}

// Type sends s to the machine's console, as somebody at a terminal would. The
// guest has room for some 200 bytes that it has not read yet.
func (m *Machine) Type(s string) error {
	if _, err := io.WriteString(m.input, s); err != nil {
		return fmt.Errorf("qemu: console: %w", err)
	}
	return nil
}

// Addr returns the host's address of a forwarded port of the guest.
// It panics if the Config does not forward that port.
func (m *Machine) Addr(guestPort int) string {
	for _, f := range m.forwards {
		if f.GuestPort == guestPort {
			return net.JoinHostPort("127.0.0.1", strconv.Itoa(f.HostPort))
		}
	}
	panic(fmt.Sprintf("qemu: port %d of the guest is not forwarded", guestPort))
}

// DebuggerAddr returns the host's address at which a debugger can attach. It panics
// if the Config has none.
func (m *Machine) DebuggerAddr() string {
	if !m.config.Debugger {
		panic("qemu: the machine has no debugger's port")
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(m.config.DebuggerPort))
}

// DialForward connects to a forwarded TCP port of the guest. That it succeeds
// shows only that QEMU is there; see the package documentation.
func (m *Machine) DialForward(ctx context.Context, guestPort int) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", m.Addr(guestPort))
}

// Started returns the moment at which QEMU was started.
func (m *Machine) Started() time.Time { return m.started }

// PID returns QEMU's process id.
func (m *Machine) PID() int { return m.cmd.Process.Pid }

// Command returns the command line that QEMU was started with. It can't be
// run as it is: the files it names are gone and its control socket with them.
func (m *Machine) Command() []string { return append([]string(nil), m.args...) }

// Stderr returns what QEMU itself had to say, warnings for the most part.
func (m *Machine) Stderr() string { return m.stderr.String() }

// A limitedBuffer keeps the start of what is written to it.
type limitedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*limitedBuffer)(nil)

func (b *limitedBuffer) Write(p []byte) (int, error) {
	const limit = 64 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := limit - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

func (b *limitedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
