//go:build unix

package transcript

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A session is run as a reader's shell would.
func TestDocument(t *testing.T) {
	dir := t.TempDir()
	s := NewShell(t, dir, "GIVEN=by the test")
	s.Document("document.md", strings.Join([]string{
		"```console",
		`$ mkdir sub && cd sub && export SAID="it's me"`,
		"$ printf '%s\\n' \"$GIVEN\" \"$SAID\"",
		"by the test",
		"it's me",
		"$ cat >kept <<END",
		"> first",
		"> END",
		"```",
		"```text file=\"written\"",
		"localhost:8443",
		"```",
		"```console norun=\"would end badly\"",
		"$ false",
		"```",
		"```console",
		"$ cat kept && cut -d: -f2 written",
		"first",
		"8443", // of another language: its ports stay
		"$ echo there; trap 'echo ended' EXIT; while :; do sleep 0.01; done &",
		"there",
		"$ kill %1",
		"```",
		"```console terminal=\"1\"",
		"$ trap 'echo interrupted >end; exit' INT; echo here; while :; do sleep 0.01; done",
		"here",
		"```",
		"```console terminal=\"1\"",
		"$ cat end",
		"interrupted",
		"```",
		"```console",
		"$ echo localhost:8443 --port 8443 :8443",
		":8443",
		"```",
	}, "\n")+"\n")
	if got, want := s.Dir(), filepath.Join(dir, "sub"); got != want {
		t.Errorf("folder %s, want %s", got, want)
	}
	data, err := os.ReadFile(filepath.Join(dir, "sub", "written"))
	if err != nil || string(data) != "localhost:8443\n" {
		t.Errorf("written: %q, %v", data, err)
	}
	if text, _ := s.since(0); !strings.Contains(text, "localhost:"+s.Port("8443")+" --port "+s.Port("8443")+" :8443") {
		t.Errorf("ports: %s", text)
	}
}

// What a test has started ends with it even if it is killed: go test does that to one that
// takes too long, without running what was to be done at its end.
func TestEndsWithTest(t *testing.T) {
	const fifo, trap = "INGOT_TRANSCRIPT_FIFO", "INGOT_TRANSCRIPT_TRAP"
	if name := os.Getenv(fifo); name != "" { // as the test that is killed
		if os.Getenv(trap) == "" {
			grace = "0"
		}
		command := fmt.Sprintf(`exec >%q; trap "$%s" INT; echo up; while :; do sleep 0.01; done`, name, trap)
		if err := NewShell(t, t.TempDir()).Run(Step{Command: command, Background: true}); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	for _, test := range []struct{ what, trap, want string }{
		{"hears Ctrl-C", "echo interrupted; exit", "up\ninterrupted\n"},
		{"ignores it", "", "up\n"},
	} {
		t.Run(test.what, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(name, 0o600); err != nil {
				t.Fatal(err)
			}
			killed := exec.Command(os.Args[0], "-test.run=^TestEndsWithTest$")
			killed.Env = append(os.Environ(), fifo+"="+name, trap+"="+test.trap, "TMPDIR="+t.TempDir())
			if err := killed.Start(); err != nil {
				t.Fatal(err)
			}
			defer killed.Wait()
			defer killed.Process.Kill()
			said := make(chan string, 1)
			go func() {
				defer close(said)
				f, err := os.Open(name) // until there is one that writes
				if err != nil {
					return
				}
				defer f.Close()
				up := make([]byte, len("up\n"))
				io.ReadFull(f, up)
				killed.Process.Kill()
				rest, _ := io.ReadAll(f) // until there is none
				said <- string(up) + string(rest)
			}()
			select {
			case got := <-said:
				if got != test.want {
					t.Errorf("%q, want %q", got, test.want)
				}
			case <-time.After(patience):
				t.Error("a process outlives the test that started it")
			}
		})
	}
}

// What isn't as the document says is an error that names the command.
func TestDocumentIsWrong(t *testing.T) {
	for _, test := range []struct {
		step Step
		want string
	}{
		{Step{Command: "exit 3"}, "exit 3: exit status 3"},
		{Step{Command: "echo one", Want: []string{"two"}}, `echo one has not printed "two"`},
		{Step{Command: "echo one", Background: true, Want: []string{"two"}}, `ended (<nil>) without printing "two"`},
		{Step{Command: "kill %1"}, "nothing was started"},
	} {
		err := NewShell(t, t.TempDir()).Run(test.step)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.step, err, test.want)
		}
	}
}
