package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// How long work goes on before a terminal shows that it does, and how often it says so.
const (
	progressAfter = time.Second
	progressEvery = time.Second
)

// progress is a line at the bottom of a terminal that says what is being done and for
// how long. It comes when that takes more than a second, and nothing of it stays.
type progress struct {
	terminal io.Writer // nil for none

	mu    sync.Mutex
	shown bool
	open  bool // others have written part of a line
}

// newProgress returns the progress of a command, which shows nothing where nobody would
// see it: standard error is a file or a pipe, or the terminal's line can't be cleared; and
// where somebody doesn't want it: --no-progress, or CI is set.
func newProgress(cmd *cobra.Command) *progress {
	off, _ := cmd.Flags().GetBool("no-progress")
	ci := os.Getenv("CI")
	if off || ci != "" && ci != "false" && ci != "0" || os.Getenv("TERM") == "dumb" || !isTerminal(cmd.ErrOrStderr()) {
		return &progress{}
	}
	return &progress{terminal: cmd.ErrOrStderr()}
}

// working does work and shows, at a terminal, what it is.
func working(cmd *cobra.Command, what string, work func() error) error {
	return newProgress(cmd).during(what, work)
}

// during does work. What work prints has to go through around.
func (p *progress) during(what string, work func() error) error {
	if p.terminal == nil {
		return work()
	}
	start := time.Now()
	finished := make(chan struct{})
	cleared := make(chan struct{})
	go func() {
		defer close(cleared)
		wait := time.NewTimer(progressAfter)
		defer wait.Stop()
		for {
			select {
			case <-finished:
				p.mu.Lock()
				p.clear()
				p.mu.Unlock()
				return
			case <-wait.C:
				p.show(fmt.Sprintf("%s ... %d s", what, int(time.Since(start)/time.Second)))
				wait.Reset(progressEvery)
			}
		}
	}()
	// In a defer, so that the line is gone before the trace of a panic.
	defer func() {
		close(finished)
		<-cleared
	}()
	return work()
}

func (p *progress) show(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		return // it would overwrite what is there
	}
	fmt.Fprintf(p.terminal, "\r\x1b[K%s", text)
	p.shown = true
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.terminal, "\r\x1b[K")
		p.shown = false
	}
}

// end takes the line away, for one that show put there.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// around returns a writer to w, which may be the same terminal: the line makes room.
func (p *progress) around(w io.Writer) io.Writer {
	if p.terminal == nil {
		return w
	}
	return &aroundProgress{p, w}
}

type aroundProgress struct {
	p *progress
	w io.Writer
}

func (a *aroundProgress) Write(b []byte) (int, error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.clear()
	if len(b) > 0 {
		a.p.open = b[len(b)-1] != '\n'
	}
	return a.w.Write(b)
}

// isTerminal reports whether somebody sees what is written.
func isTerminal(w io.Writer) bool {
	for {
		switch v := w.(type) {
		case *os.File:
			return term.IsTerminal(int(v.Fd()))
		case interface{ Unwrap() io.Writer }:
			w = v.Unwrap()
		default:
			return false
		}
	}
}
