package decode

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Kind says what a line of a console is about.
type Kind int

const (
	Plain  Kind = iota
	Crash       // a panic, a fatal error or a signal begins here
	Trace       // the head of a goroutine's traceback
	Kernel      // the kernel speaks
)

// starts are how lines begin that stand out. What follows decides about some.
var starts = []struct {
	text string
	kind Kind
	rest *regexp.Regexp // nil: anything
}{
	{"ingot: ", Kernel, nil},
	{"panic: ", Crash, nil},
	{"fatal error: ", Crash, nil},
	{"runtime: ", Crash, nil},
	{"unexpected fault address ", Crash, nil},
	{"[signal ", Crash, nil},
	{"SIG", Crash, regexp.MustCompile(`^[A-Z]+: `)}, // the runtime's name for a signal
	{"goroutine ", Trace, regexp.MustCompile(`^\d+ .*\[.*\]:$`)},
}

// Classify looks at one line, without its end.
func Classify(line string) Kind {
	for _, s := range starts {
		if rest, ok := strings.CutPrefix(line, s.text); ok && (s.rest == nil || s.rest.MatchString(rest)) {
			return s.kind
		}
	}
	return Plain
}

// Undecided says that a line may turn out to be one that stands out when the rest of it
// is there.
func Undecided(line string) bool {
	for _, s := range starts {
		if strings.HasPrefix(s.text, line) || strings.HasPrefix(line, s.text) {
			return true
		}
	}
	return false
}

var (
	// Addresses of instructions. In lines of a traceback they have their names already.
	registerLine = regexp.MustCompile(`^(pc|lr|PC)[ =]+0x`)
	address      = regexp.MustCompile(`\b(pc|PC|lr|at|called from)[ =]+0x([0-9a-f]+)`)

	kernelKilled = regexp.MustCompile(`^ingot: killed by signal (\d+), pc 0x([0-9a-f]+), address 0x([0-9a-f]+)`)
	kernelBug    = regexp.MustCompile(`^ingot: kernel bug: exception (\d+) at 0x[0-9a-f]+, status 0x[0-9a-f]+, address 0x([0-9a-f]+)`)
)

// exceptions are the kernel's numbers of what can go wrong in it (ARM ARM, B1.8).
var exceptions = map[string]string{
	"0": "an exception that nothing causes",
	"1": "undefined instruction",
	"3": "instruction fetch from an address that holds none",
	"4": "load or store at an address that doesn't allow it",
}

// signals are those that end a program whose runtime doesn't take them (signal(7)).
var signals = map[string]string{
	"1": "SIGHUP", "2": "SIGINT", "3": "SIGQUIT", "4": "SIGILL, an undefined instruction", "5": "SIGTRAP, a breakpoint",
	"6": "SIGABRT", "7": "SIGBUS, an access that the memory there doesn't allow", "8": "SIGFPE", "9": "SIGKILL", "11": "SIGSEGV, an access to memory that isn't the program's",
	"13": "SIGPIPE", "14": "SIGALRM", "15": "SIGTERM",
}

// Explain returns what there is to add to a line of a console: what a signal or an
// exception is, and which function and line each address of an instruction belongs to.
// It returns nothing for most lines.
func (t *Table) Explain(line string) []string {
	var notes []string
	if m := kernelKilled.FindStringSubmatch(line); m != nil {
		if what := signals[m[1]]; what != "" {
			notes = append(notes, "signal "+m[1]+" is "+what)
		}
	}
	if m := kernelBug.FindStringSubmatch(line); m != nil {
		if what := exceptions[m[1]]; what != "" {
			notes = append(notes, "exception "+m[1]+" is "+what)
		}
	}
	if kind := Classify(line); t == nil || kind != Crash && kind != Kernel && !registerLine.MatchString(line) {
		return notes
	}
	for _, m := range address.FindAllStringSubmatch(line, -1) {
		pc, err := strconv.ParseUint(m[2], 16, 64)
		if err != nil {
			continue
		}
		name := m[1]
		if name == "lr" && pc >= 1 {
			// The instruction that called is the one before.
			if p, ok := t.Find(pc - 1); ok {
				p.Offset++
				notes = append(notes, fmt.Sprintf("%s %#x is %v", name, pc, p))
			}
			continue
		}
		if p, ok := t.Find(pc); ok {
			notes = append(notes, fmt.Sprintf("%s %#x is %v", name, pc, p))
		} else if pc != 0 && strings.EqualFold(name, "pc") {
			notes = append(notes, fmt.Sprintf("%s %#x is no code of the image: a jump to nowhere, or another image", name, pc))
		}
	}
	return notes
}
