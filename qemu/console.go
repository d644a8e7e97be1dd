package qemu

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

// consoleLimit is how much of the console is kept. What a firmware prints in
// a test is far less; a guest that prints without end must not eat the host.
const consoleLimit = 4 << 20

// A console keeps what the guest printed and wakes those who wait for more.
type console struct {
	tee io.Writer // may be nil

	mu     sync.Mutex
	text   []byte        // the last consoleLimit bytes
	more   chan struct{} // closed and replaced when text grows
	closed bool          // no more text will come; more is closed for good
}

func newConsole(tee io.Writer) *console {
	return &console{tee: tee, more: make(chan struct{})}
}

// read copies from r until it ends.
func (c *console) read(r io.Reader) {
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			c.add(buf[:n])
			if c.tee != nil {
				if _, werr := c.tee.Write(buf[:n]); werr != nil {
					c.tee = nil // a closed terminal doesn't stop the machine
				}
			}
		}
		if err != nil {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	close(c.more)
}

func (c *console) add(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, b...)
	if len(c.text) > consoleLimit {
		c.text = append([]byte(nil), c.text[len(c.text)-consoleLimit/2:]...)
	}
	close(c.more)
	c.more = make(chan struct{})
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// wait returns the first match of re and its subexpressions, nil if the
// console ended without one.
func (c *console) wait(ctx context.Context, re *regexp.Regexp) ([]string, error) {
	for {
		c.mu.Lock()
		m := re.FindSubmatch(c.text)
		more, closed := c.more, c.closed
		c.mu.Unlock()
		if m != nil {
			s := make([]string, len(m))
			for i := range m {
				s[i] = string(m[i])
			}
			return s, nil
		}
		if closed {
			return nil, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tail returns the last lines, indented, for error messages.
func (c *console) tail() string {
	const most = 20
	text := strings.TrimRight(c.String(), "\r\n")
	if text == "" {
		return "the console is empty"
	}
	lines := strings.Split(strings.ReplaceAll(text, "\r", ""), "\n")
	head := "console:"
	if len(lines) > most {
		lines = lines[len(lines)-most:]
		head = fmt.Sprintf("last %d lines of the console:", most)
	}
	return head + "\n\t" + strings.Join(lines, "\n\t")
}
