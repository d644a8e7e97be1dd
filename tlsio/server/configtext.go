package server

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"ingot.dev/internal/near"
)

// SettingError says why a configuration setting was refused.
type SettingError struct {
	Line  int    // in the text given to Parse, from 1; 0 elsewhere
	Name  string // as the reference spells it, if it is one
	Value string // what was given, cut short; "" for what is secret
	Fix   string // what would be accepted
}

func (e *SettingError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	b.WriteString("setting ")
	b.WriteString(e.Name)
	if e.Value != "" {
		fmt.Fprintf(&b, " = %q", e.Value)
	}
	b.WriteString(": ")
	b.WriteString(e.Fix)
	return b.String()
}

// Limits of configuration text.
const (
	MaxSettingSize = 256 << 10 // bytes of one setting: the bundle of a browser fits
	MaxTextSize    = 1 << 20   // bytes given to Parse
)

// Set changes a setting of the reference's method config: "NAME=VALUE". Names are
// compared without case. Booleans are True, False, Yes, No, 1 and 0. The settings of
// TLS change what is made of c.TLS, not c.TLS itself. The error is a *SettingError,
// and nothing has changed then.
func (c *Config) Set(assignment string) error {
	name, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return &SettingError{Name: shorten(assignment), Fix: "write NAME=VALUE"}
	}
	next := *c
	if err := next.set(name, value); err != nil {
		return err
	}
	if err := next.settle(); err != nil {
		return err
	}
	*c = next
	return nil
}

// set is Set without a look at how the settings go together.
func (c *Config) set(name, value string) error {
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	s, err := findSetting(name)
	if err != nil {
		return err
	}
	fix := ""
	switch {
	case len(value) > MaxSettingSize:
		fix = fmt.Sprintf("is larger than %d bytes", MaxSettingSize)
	case s.set == nil:
		fix = "can only be read, with a connection's id: " + s.name + "[id]"
	default:
		fix = s.set(c, value)
	}
	if fix == "" {
		return nil
	}
	e := &SettingError{Name: s.name, Value: shorten(value), Fix: fix}
	if s.name == "OpenSSLPrngSeedData" {
		e.Value = ""
	}
	return e
}

// settle says what is wrong with the settings taken together.
func (c *Config) settle() error {
	if c.text == nil {
		return nil
	}
	if _, err := c.text.plan(&c.TLS); err != nil {
		return err
	}
	return nil
}

// Get returns a setting's value, its default if it wasn't set.
func (c *Config) Get(name string) (string, error) {
	s, err := findSetting(strings.TrimSpace(name))
	switch {
	case err != nil:
		return "", err
	case s.get == nil:
		return "", &SettingError{Name: s.name, Fix: "is a connection's; ask for " + s.name + "[id]"}
	}
	return s.get(c), nil
}

// Parse sets what text says: one NAME=VALUE a line; empty lines, and lines that begin
// with #, say nothing. A value that begins with -----BEGIN goes on to the -----END
// after it, and over further such blocks. If anything is wrong nothing changes, and the
// error joins a *SettingError, with its line, for each.
func (c *Config) Parse(text string) error {
	if len(text) > MaxTextSize {
		return &SettingError{Name: "text", Fix: fmt.Sprintf("is larger than %d bytes", MaxTextSize)}
	}
	next := *c
	var errs []error
	fail := func(line int, err error) {
		if e, ok := err.(*SettingError); ok {
			e.Line = line
		}
		errs = append(errs, err)
	}
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	last := 0
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if line == "" || line[0] == '#' {
			continue
		}
		at := i + 1
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			fail(at, &SettingError{Name: shorten(line), Fix: "write NAME=VALUE, or # before a comment"})
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(value), pemBegin) {
			n, whole := pemLines(lines[i+1:])
			if !whole {
				fail(at, &SettingError{Name: strings.TrimSpace(name), Fix: "the line -----END is missing"})
				break
			}
			value += "\n" + strings.Join(lines[i+1:i+1+n], "\n")
			i += n
		}
		last = at
		if err := next.set(name, value); err != nil {
			fail(at, err)
		}
	}
	if errs == nil {
		if err := next.settle(); err != nil {
			fail(last, err)
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	*c = next
	return nil
}

const pemBegin, pemEnd = "-----BEGIN", "-----END"

// pemLines returns how many lines belong to a PEM block whose first line has been
// read, and to those right behind it.
func pemLines(lines []string) (n int, whole bool) {
	inside := true
	for i, line := range lines {
		line = strings.TrimSpace(line)
		switch {
		case inside && strings.HasPrefix(line, pemEnd):
			inside, whole, n = false, true, i+1
		case !inside && strings.HasPrefix(line, pemBegin):
			inside = true
		case !inside && line != "":
			return n, whole
		}
	}
	return n, whole && !inside
}

// findSetting finds a setting by its name, or names the one that was perhaps meant.
func findSetting(name string) (*setting, error) {
	for i := range settings {
		if strings.EqualFold(settings[i].name, name) {
			return &settings[i], nil
		}
	}
	for _, s := range negotiated {
		if strings.EqualFold(s.name, name) {
			return &setting{name: s.name}, nil
		}
	}
	e := &SettingError{Name: shorten(name)}
	e.Fix = "there is no such setting; did you mean " + nearest(e.Name) + "?"
	return nil, e
}

// nearest returns the name of the setting that takes the fewest changes to name.
func nearest(name string) string {
	best, least := "", 1<<30
	consider := func(candidate string) {
		if d := near.Distance(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	for _, s := range settings {
		consider(s.name)
	}
	for _, s := range negotiated {
		consider(s.name)
	}
	return best
}

// shorten returns enough of a value for an error.
func shorten(s string) string {
	const most = 64
	s = strings.TrimSpace(s)
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for len(s) > 0 {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + "..."
}

// ConfigText is the reference's method config: "NAME=VALUE" changes a setting and
// returns its value, "NAME" returns it, and "NAME[id]" returns a connection's, such as
// SSLNegotiatedVersion. What changes holds for connections accepted from now on.
// Errors are *Error: number 126 for an id that no connection has, 108 for
// MaxConnections while the server listens, else 10022 with a *SettingError below.
func (s *Server) ConfigText(text string) (string, error) {
	const op = "ConfigText"
	invalid := func(err error) error { return &Error{Op: op, Code: CodeInvalidArgument, Err: err} }
	name, _, set := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	if base, id, ok := strings.Cut(strings.TrimSuffix(name, "]"), "["); ok && strings.HasSuffix(name, "]") {
		if set {
			return "", invalid(&SettingError{Name: shorten(name), Fix: "a connection's settings can only be read"})
		}
		value, err := s.negotiatedText(strings.TrimSpace(base), strings.TrimSpace(id))
		if e, ok := err.(*SettingError); ok {
			return "", invalid(e)
		}
		return value, err
	}
	if set {
		var refused error
		err := s.Configure(func(c *Config) { refused = c.Set(text) })
		if refused != nil {
			return "", invalid(refused)
		}
		if err != nil {
			return "", err
		}
	}
	config := s.Config()
	value, err := config.Get(name)
	if err != nil {
		return "", invalid(err)
	}
	return value, nil
}

// negotiatedText returns a setting of one connection.
func (s *Server) negotiatedText(name, id string) (string, error) {
	for _, n := range negotiated {
		if strings.EqualFold(n.name, name) {
			c, err := s.find("ConfigText", id)
			if err != nil {
				return "", err
			}
			conn := c.TLS()
			if conn == nil {
				return "", nil // no TLS, or not yet
			}
			state := conn.State()
			return n.of(&state), nil
		}
	}
	found, err := findSetting(name)
	if err != nil {
		return "", err
	}
	return "", &SettingError{Name: found.name, Fix: "is the server's, not a connection's; leave [" + shorten(id) + "] out"}
}
