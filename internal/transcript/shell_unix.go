//go:build unix

package transcript

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

// patience is for one command, or for what is to appear: far more than either takes.
const patience = 5 * time.Minute

// Shell runs the commands of sessions as a reader's shell would. What all of them print is
// in one place, as in a terminal.
type Shell struct {
	t     testing.TB
	state string            // folder of what one command leaves to the next: its folder and its variables
	jobs  []*job            // what was started in the background
	front map[string]*job   // what goes on in a terminal of its own
	ports map[string]string // those that documents name, and free ones that stand for them

	mu     sync.Mutex
	output []byte
	more   chan struct{} // closed when there is more of it
}

// NewShell returns a shell that begins in a folder, with variables ("KEY=VALUE") beside
// those of the test. What it has started ends with the test.
func NewShell(t testing.TB, dir string, env ...string) *Shell {
	s := &Shell{t: t, state: t.TempDir(), front: map[string]*job{}, ports: map[string]string{}, more: make(chan struct{})}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", s.output)
		}
	})
	first := exec.Command("sh", "-c", keepState)
	// 'make run' without a port takes 8443.
	first.Env = append(append(first.Environ(), "PORT="+s.Port("8443")), env...)
	if err := <-s.start(first, dir).ended; err != nil {
		t.Fatal(err)
	}
	return s
}

// Document runs the sessions of a document, and puts into files what belongs there. Blocks
// that are not to be run are passed over. name is for errors.
func (s *Shell) Document(name, text string) {
	s.t.Helper()
	blocks, err := Blocks(text)
	if err != nil {
		s.t.Fatalf("%s:%v", name, err)
	}
	ran := 0
	for _, b := range blocks {
		switch {
		case b.File != "":
			if err := os.WriteFile(filepath.Join(s.Dir(), b.File), []byte(b.Text), 0o666); err != nil {
				s.t.Fatalf("%s:%d: %v", name, b.Line, err)
			}
		case b.Language == Language && b.NotRun == "":
			steps, err := b.Steps()
			if err != nil {
				s.t.Fatalf("%s:%v", name, err)
			}
			if j := s.front[b.Terminal]; j != nil {
				if err := j.end(syscall.SIGINT); err != nil {
					s.t.Fatalf("%s:%d: %v", name, b.Line, err)
				}
			}
			for _, step := range steps {
				if err := s.Run(step); err != nil {
					s.t.Fatalf("%s:%d: %v", name, step.Line, err)
				}
				ran++
			}
			if b.Terminal != "" {
				s.front[b.Terminal] = s.jobs[len(s.jobs)-1]
			}
		}
	}
	if ran == 0 {
		s.t.Fatalf("%s has no commands", name)
	}
}

// Dir returns the folder that commands are run in.
func (s *Shell) Dir() string {
	s.t.Helper()
	dir, err := os.ReadFile(filepath.Join(s.state, "dir"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSuffix(string(dir), "\n")
}

// keepState is what a command does at its end for the next one.
const keepState = `pwd >"$INGOT_STATE/dir"; export -p >"$INGOT_STATE/env"`

var killJob = regexp.MustCompile(`^kill %([0-9]+)$`)

// Run runs a command until it ends or, in the background, until its output has come.
func (s *Shell) Run(step Step) error {
	step.Command = s.otherPorts(step.Command)
	for i, line := range step.Want {
		step.Want[i] = s.otherPorts(line)
	}
	fmt.Fprintf(s, "$ %s\n", step.Command)
	s.mu.Lock()
	from := len(s.output)
	s.mu.Unlock()
	if m := killJob.FindStringSubmatch(step.Command); m != nil {
		n, _ := strconv.Atoi(m[1])
		if n < 1 || n > len(s.jobs) {
			return fmt.Errorf("%s: nothing was started by that number", step.Command)
		}
		return s.jobs[n-1].end(syscall.SIGTERM)
	}
	script := `. "$INGOT_STATE/env"` + "\n" + step.Command
	if !step.Background {
		script += "\ningot_status=$?\n" + keepState + "\nexit $ingot_status"
	}
	j := s.start(exec.Command("sh", "-c", script), s.Dir())
	limit := time.After(patience)
	if !step.Background {
		select {
		case err := <-j.ended:
			if err != nil {
				return fmt.Errorf("%s: %w", step.Command, err)
			}
		case <-limit:
			return fmt.Errorf("%s does not end", step.Command)
		}
		text, _ := s.since(from)
		if line, missing := Missing(text, step.Want); missing {
			return fmt.Errorf("%s has not printed %q", step.Command, line)
		}
		return nil
	}
	s.jobs = append(s.jobs, j)
	for {
		text, more := s.since(from)
		line, missing := Missing(text, step.Want)
		if !missing {
			return nil
		}
		select {
		case <-more:
		case err := <-j.ended:
			// All that it has printed is there now.
			text, _ := s.since(from)
			if line, missing := Missing(text, step.Want); missing {
				return fmt.Errorf("%s ended (%v) without printing %q", step.Command, err, line)
			}
			return nil
		case <-limit:
			return fmt.Errorf("%s: %q did not come", step.Command, line)
		}
	}
}

// hostPort is a port of this machine, by what stands before it.
var hostPort = regexp.MustCompile(`((?:localhost|127\.0\.0\.1|10\.0\.2\.2):|--port[ =]|\bPORT=|-accept |-listen :|--forward )([0-9]{4,5})\b`)

// otherPorts puts free ports in the place of the document's.
func (s *Shell) otherPorts(text string) string {
	return hostPort.ReplaceAllStringFunc(text, func(found string) string {
		m := hostPort.FindStringSubmatch(found)
		return m[1] + s.Port(m[2])
	})
}

// Port returns the free port that stands for one of the document's.
func (s *Shell) Port(number string) string {
	s.t.Helper()
	for s.ports[number] == "" {
		port, err := testenv.FreePort()
		if err != nil {
			s.t.Fatal(err)
		}
		if free := strconv.Itoa(port); !slices.Contains(slices.Collect(maps.Values(s.ports)), free) {
			s.ports[number] = free
		}
	}
	return s.ports[number]
}

// Write takes what commands print.
func (s *Shell) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.output = append(s.output, p...)
	close(s.more)
	s.more = make(chan struct{})
	return len(p), nil
}

// since returns what was printed from a position on, and what is closed when there is more.
func (s *Shell) since(from int) (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.output[from:]), s.more
}

// job is a command in a group of processes of its own, which a guard leads.
type job struct {
	command string
	group   int
	ended   chan error    // has its end, once
	gone    chan struct{} // closed when it has ended
}

// guard ends the processes of its group when its standard input ends without a line: that
// is when the test was killed, by its time limit for one, and can't end them. They get what
// a reader types, and time to end what they have started in groups of their own.
const guard = `trap "" INT TERM; read -r line || { kill -INT 0; sleep "$1"; kill -KILL 0; }`

// grace is that time, in seconds.
var grace = "30"

// start starts a command in a folder.
func (s *Shell) start(cmd *exec.Cmd, dir string) *job {
	s.t.Helper()
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "CI=1", "INGOT_STATE="+s.state)
	cmd.Stdout, cmd.Stderr = s, s
	leader := exec.Command("sh", "-c", guard, "guard", grace)
	leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	alive, err := leader.StdinPipe() // only this process has it, and it is closed with it
	if err == nil {
		err = leader.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	dismiss := func() {
		io.WriteString(alive, "\n") // if it wasn't killed with the others
		leader.Wait()
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: leader.Process.Pid}
	// A standard input that stays open: openssl s_server ends with it.
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		dismiss()
		s.t.Fatal(err)
	}
	j := &job{command: cmd.Args[len(cmd.Args)-1], group: leader.Process.Pid, ended: make(chan error, 1), gone: make(chan struct{})}
	go func() {
		err := cmd.Wait()
		dismiss()
		j.ended <- err
		close(j.gone)
	}()
	s.t.Cleanup(func() {
		defer in.Close()
		if err := j.end(syscall.SIGINT, syscall.SIGKILL); err != nil {
			s.t.Error(err)
		}
	})
	return j
}

// end ends a command by signals, each of which gets a minute.
func (j *job) end(signals ...syscall.Signal) error {
	for _, sig := range signals {
		select {
		case <-j.gone:
			return nil
		default:
		}
		syscall.Kill(-j.group, sig)
		select {
		case <-j.gone:
			return nil
		case <-time.After(time.Minute):
		}
	}
	return fmt.Errorf("%s does not end by %v", j.command, signals)
}
