package cli

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	failed := errors.New("failed")
	for _, c := range []struct {
		takes time.Duration
		err   error
		want  string
	}{
		{900 * time.Millisecond, nil, ""},
		{1500 * time.Millisecond, failed, "\r\x1b[KBuilding ... 1 s\r\x1b[K"},
		{2500 * time.Millisecond, nil, "\r\x1b[KBuilding ... 1 s\r\x1b[KBuilding ... 2 s\r\x1b[K"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var terminal bytes.Buffer
			p := &progress{terminal: &terminal}
			err := p.during("Building", func() error {
				time.Sleep(c.takes)
				return c.err
			})
			if err != c.err || terminal.String() != c.want {
				t.Errorf("%v: %q, %v; want %q, %v", c.takes, terminal.String(), err, c.want, c.err)
			}
		})
	}
}

// Others write on the terminal meanwhile: the line makes room, and stays away while one
// of theirs is open.
func TestProgressAroundOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal bytes.Buffer
		p := &progress{terminal: &terminal}
		out := p.around(&terminal)
		p.during("Waiting", func() error {
			time.Sleep(1500 * time.Millisecond)
			io.WriteString(out, "half ")
			time.Sleep(time.Second)
			io.WriteString(out, "line\n")
			time.Sleep(time.Second)
			return nil
		})
		const want = "\r\x1b[KWaiting ... 1 s\r\x1b[Khalf line\n\r\x1b[KWaiting ... 3 s\r\x1b[K"
		if terminal.String() != want {
			t.Errorf("%q, want %q", terminal.String(), want)
		}
	})
}

// Without a terminal nothing is shown, and what is printed goes straight on.
func TestProgressWithoutTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cmd := NewRootCommand()
		var out bytes.Buffer
		cmd.SetErr(&out)
		p := newProgress(cmd)
		if w := p.around(&out); w != io.Writer(&out) {
			t.Errorf("what is printed goes through %T", w)
		}
		p.during("Building", func() error { time.Sleep(time.Hour); return nil })
		if out.Len() > 0 {
			t.Errorf("%q", out.String())
		}
	})
}
