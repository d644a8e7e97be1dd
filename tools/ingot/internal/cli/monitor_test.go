package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// What stands out does so however the bytes come; the rest is unchanged.
func TestMonitorStyles(t *testing.T) {
	const console = "boot\r\npanic: told to\r\n\ngoroutine 1 [running]:\nmain.main()\n\t./x.go:3 +0x4\ngoroutine pool is up\n" +
		"SIGQUIT: quit\nSIGNAL\ningot: killed by signal 9, pc 0x00000004, address 0x00000000\nlogin: "
	want := "boot\n" + red + "panic: told to" + reset + "\n\n" + bold + "goroutine 1 [running]:" + reset + "\nmain.main()\n\t./x.go:3 +0x4\ngoroutine pool is up\n" +
		red + "SIGQUIT: quit" + reset + "\nSIGNAL\n" + yellow + "ingot: killed by signal 9, pc 0x00000004, address 0x00000000" + reset + "\n" +
		faint + "==> signal 9 is SIGKILL" + reset + "\nlogin: "
	for name, in := range map[string]io.Reader{
		"at once":      strings.NewReader(console),
		"byte by byte": iotest.OneByteReader(strings.NewReader(console)),
	} {
		var out bytes.Buffer
		m := monitor{out: &out, color: true}
		if err := m.copy(in); err != nil || out.String() != want {
			t.Errorf("%s: %v\n%q, want\n%q", name, err, out.String(), want)
		}
	}
}

// A prompt is shown before its line ends, and a line without an end doesn't fill memory.
func TestMonitorUnfinished(t *testing.T) {
	for _, color := range []bool{false, true} {
		r, w := io.Pipe()
		shown, out := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			m := monitor{out: out, color: color}
			ended <- m.copy(r)
		}()
		io.WriteString(w, "login: ")
		got := make([]byte, len("login: "))
		if _, err := io.ReadFull(shown, got); err != nil || string(got) != "login: " {
			t.Errorf("%q, %v", got, err)
		}
		w.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	long := strings.Repeat("x", 3*longLine)
	var out bytes.Buffer
	m := monitor{out: &out}
	if err := m.copy(strings.NewReader(long)); err != nil || out.String() != long || cap(m.line) > 2*longLine {
		t.Errorf("%v, %d bytes of %d, %d kept", err, out.Len(), len(long), cap(m.line))
	}
}
