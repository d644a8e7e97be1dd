package qemu

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
)

// TestConsoleSplitMatch: a pattern may arrive in pieces.
func TestConsoleSplitMatch(t *testing.T) {
	r, w := io.Pipe()
	c := newConsole(nil)
	go c.read(r)
	go func() {
		for _, part := range []string{"rea", "d", "y on 1", "0.0.2.15\n"} {
			io.WriteString(w, part)
		}
		w.Close()
	}()
	m, err := c.wait(testContext(t), regexp.MustCompile(`ready on (\S+)\n`))
	if err != nil || len(m) != 2 || m[1] != "10.0.2.15" {
		t.Errorf("%q, %v", m, err)
	}
	if m, err := c.wait(testContext(t), regexp.MustCompile(`never`)); m != nil || err != nil {
		t.Errorf("at the end of the console: %q, %v", m, err)
	}
}

func TestConsoleIsBounded(t *testing.T) {
	c := newConsole(nil)
	line := strings.Repeat("x", 1023) + "\n"
	for range 3 * consoleLimit / len(line) {
		c.add([]byte(line))
	}
	c.add([]byte("the end"))
	if s := c.String(); len(s) > consoleLimit || !strings.HasSuffix(s, "the end") {
		t.Errorf("%d bytes are kept", len(s))
	}
}

type brokenWriter struct{ writes int }

func (w *brokenWriter) Write([]byte) (int, error) {
	w.writes++
	return 0, errors.New("terminal is gone")
}

func TestConsoleSurvivesItsWriter(t *testing.T) {
	w := &brokenWriter{}
	c := newConsole(w)
	pr, pw := io.Pipe()
	go func() {
		pw.Write([]byte("one "))
		pw.Write([]byte("two"))
		pw.Close()
	}()
	c.read(pr)
	if c.String() != "one two" || w.writes != 1 {
		t.Errorf("kept %q, wrote %d times", c.String(), w.writes)
	}
}

func TestConsoleTail(t *testing.T) {
	c := newConsole(nil)
	if got := c.tail(); got != "the console is empty" {
		t.Errorf("%q", got)
	}
	c.add([]byte("one\r\ntwo\n"))
	if got := c.tail(); got != "console:\n\tone\n\ttwo" {
		t.Errorf("%q", got)
	}
	c.add([]byte(strings.Repeat("more\n", 50)))
	if got := c.tail(); strings.Count(got, "\n") != 20 || strings.Contains(got, "two") {
		t.Errorf("%q", got)
	}
}
