package cli

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/internal/gdbremote"
)

// lockedBuffer is written by a command that runs and read by its test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestDebug attaches as the command says, without gdb: the machine stands at the image's
// first instruction, goes on to a breakpoint at a Go function, and from there to its end.
func TestDebug(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	file := filepath.Join(t.TempDir(), "report.elf")
	var stdout, stderr lockedBuffer
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{"debug", "-o", file, "testdata/report.go", "--", "-v"}, strings.NewReader(""), &stdout, &stderr)
	}()
	attach := regexp.MustCompile(`gdb-multiarch -ex 'target remote (127\.0\.0\.1:\d+)' -ex 'break main\.main' ` + regexp.QuoteMeta(file))
	var addr string
	for addr == "" {
		if m := attach.FindStringSubmatch(stderr.String()); m != nil {
			addr = m[1]
			break
		}
		select {
		case code := <-ended:
			t.Fatalf("it ended with status %d: %s", code, stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	entry, main := addresses(t, file)

	gdb, err := gdbremote.Dial(addr, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer gdb.Close()
	command := func(text, want string) {
		t.Helper()
		if answer, err := gdb.Command(text); err != nil || !strings.HasPrefix(answer, want) {
			t.Fatalf("%s: %q, %v; want %s; console: %q", text, answer, err, want, stdout.String())
		}
	}
	at := func(want uint64) {
		t.Helper()
		if pc, err := gdb.Register(15); err != nil || uint64(pc) != want {
			t.Errorf("the machine stands at %#x, %v; want %#x", pc, err, want)
		}
	}
	command("?", "T")
	at(entry)
	command(fmt.Sprintf("Z0,%x,4", main), "OK")
	command("c", "T05")
	at(main)
	if text := stdout.String(); strings.Contains(text, "linux/arm") {
		t.Errorf("the program has printed %q before its main", text)
	}
	command("D", "OK")
	if code := <-ended; code != ExitOK || !strings.Contains(stdout.String(), `linux/arm ["-v"]`) {
		t.Errorf("status %d, %q, %q", code, stdout.String(), stderr.String())
	}
}

// addresses returns those of the first instruction and of main.main.
func addresses(t *testing.T, file string) (entry, main uint64) {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Name == "main.main" {
			return f.Entry, s.Value
		}
	}
	t.Fatal("the image has no main.main")
	return 0, 0
}

func TestDebugRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--port", "65536", "x.go"}, ExitUsage, "--port 65536"},
		{[]string{"--forward", "x", "x.go"}, ExitUsage, "--forward x"},
		{[]string{"--forward", "0:80", "x.go"}, ExitUsage, "--forward 0:80"},
		{[]string{"./a", "./b"}, ExitUsage, "one package"},
		{[]string{"nowhere.elf"}, ExitInput, "nowhere.elf"},
	} {
		code, _, stderr := run(t, append([]string{"debug"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, %q; want %d, %q", c.args, code, stderr, c.code, c.want)
		}
	}
}

func TestParseForwards(t *testing.T) {
	list, err := parseForwards([]string{"8443", "9000:80"})
	if err != nil || len(list) != 2 || list[0].HostPort != 0 || list[0].GuestPort != 8443 || list[1].HostPort != 9000 || list[1].GuestPort != 80 {
		t.Errorf("%+v, %v", list, err)
	}
}
