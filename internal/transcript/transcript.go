package transcript

import (
	"fmt"
	"regexp"
	"strings"
)

// Language is that of sessions: what their info strings begin with.
const Language = "console"

// Block is a fenced block of a document.
type Block struct {
	Line     int    // of its fence, from 1
	Language string // what its info string begins with
	File     string // where the reader puts it; or ""
	NotRun   string // why a session isn't run; or ""
	Terminal string // which terminal of its own a session has; or ""
	Text     string // what is between the fences
}

// Step is a command of a session and the output that it leads to.
type Step struct {
	Line       int // of the command
	Command    string
	Background bool // it goes on while others are run
	Want       []string
}

var (
	fence     = regexp.MustCompile("^(```+)(.*)$")
	infoWords = regexp.MustCompile(`^([\w.+-]*)((?: [a-z]+="[^"]+")*)$`)
	attribute = regexp.MustCompile(` ([a-z]+)="([^"]+)"`)
)

// Info takes an info string apart: the language, and what is said of the block.
func Info(info string) (b Block, err error) {
	m := infoWords.FindStringSubmatch(info)
	if m == nil {
		return b, fmt.Errorf("%q is not a language and NAME=\"VALUE\"", info)
	}
	b.Language = m[1]
	for _, a := range attribute.FindAllStringSubmatch(m[2], -1) {
		switch {
		case a[1] == "norun" && b.Language == Language:
			b.NotRun = a[2]
		case a[1] == "terminal" && b.Language == Language:
			b.Terminal = a[2]
		case a[1] == "file" && b.Language != Language:
			b.File = a[2]
		default:
			return b, fmt.Errorf("a block of %s has no %s", b.Language, a[1])
		}
	}
	return b, nil
}

// Blocks returns the fenced blocks of a document. Errors begin with the line's number.
func Blocks(document string) (list []Block, err error) {
	var open *Block
	var end string
	n := 0
	for line := range strings.Lines(document) {
		n++
		line = strings.TrimSuffix(line, "\n")
		m := fence.FindStringSubmatch(line)
		switch {
		case open == nil && m != nil:
			b, err := Info(m[2])
			if err != nil {
				return nil, fmt.Errorf("%d: %w", n, err)
			}
			b.Line = n
			open, end = &b, m[1]
		case open != nil && line == end:
			list = append(list, *open)
			open = nil
		case open != nil:
			open.Text += line + "\n"
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%d: the block has no end", open.Line)
	}
	return list, nil
}

// Steps returns the commands of a session. Errors begin with the line's number.
func (b Block) Steps() (list []Step, err error) {
	n := b.Line
	more := false // the line before belongs to a command
	for line := range strings.Lines(b.Text) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "$ "); ok {
			rest, background := strings.CutSuffix(rest, " &")
			list = append(list, Step{Line: n, Command: rest, Background: background})
			more = true
			continue
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("%d: %q comes before any command", n, line)
		}
		last := &list[len(list)-1]
		if rest, ok := continued(line); ok && more {
			rest, last.Background = strings.CutSuffix(rest, " &")
			last.Command += "\n" + rest
			continue
		}
		more = false
		last.Want = append(last.Want, line)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%d: no command is in this session", b.Line)
	}
	if b.Terminal != "" {
		list[len(list)-1].Background = true
	}
	return list, nil
}

// continued cuts off what a shell prints when it wants more of a command.
func continued(line string) (string, bool) {
	if line == ">" {
		return "", true
	}
	return strings.CutPrefix(line, "> ")
}

// Commands returns what a reader types in a session: its commands without prompts and output.
func (b Block) Commands() string {
	steps, err := b.Steps()
	if err != nil {
		return ""
	}
	var text strings.Builder
	for _, s := range steps {
		text.WriteString(s.Command)
		if s.Background && b.Terminal == "" {
			text.WriteString(" &")
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// Missing returns the first line of want that is not in text behind those before it, and
// whether there is one.
func Missing(text string, want []string) (line string, missing bool) {
	for _, line := range want {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*")
		at := regexp.MustCompile(pattern).FindStringIndex(text)
		if at == nil {
			return line, true
		}
		text = text[at[1]:]
	}
	return "", false
}
