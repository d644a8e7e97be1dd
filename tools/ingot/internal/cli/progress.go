package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// How long work goes on before a terminal shows that it does, and how often it says so.
const (
	progressAfter = time.Second
	progressEvery = time.Second
)

// working does work and, when that takes more than a second and somebody sits at a
// terminal, shows there what it is and for how long. Nothing of it stays on the
// terminal; nothing is written to a file or pipe. Work must not print.
func working(cmd *cobra.Command, what string, work func() error) error {
	f, ok := cmd.ErrOrStderr().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return work()
	}
	return showWork(f, what, work)
}

// showWork is working on a terminal.
func showWork(terminal io.Writer, what string, work func() error) error {
	start := time.Now()
	finished := make(chan struct{})
	cleared := make(chan struct{})
	go func() {
		defer close(cleared)
		wait := time.NewTimer(progressAfter)
		defer wait.Stop()
		for shown := false; ; shown = true {
			select {
			case <-finished:
				if shown {
					fmt.Fprint(terminal, "\r\x1b[K")
				}
				return
			case <-wait.C:
				fmt.Fprintf(terminal, "\r\x1b[K%s ... %d s", what, int(time.Since(start)/time.Second))
				wait.Reset(progressEvery)
			}
		}
	}()
	err := work()
	close(finished)
	<-cleared
	return err
}
