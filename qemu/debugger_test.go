package qemu

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/gdbremote"
)

// A machine with a debugger stands at the image's first instruction until the
// debugger lets it go.
func TestDebugger(t *testing.T) {
	m := start(t, Config{Image: writeGuest(t, guestExit), Debugger: true})
	gdb, err := gdbremote.Dial(m.DebuggerAddr(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer gdb.Close()
	if why, err := gdb.Command("?"); err != nil || !strings.HasPrefix(why, "T") {
		t.Fatalf("why it stands still: %q, %v", why, err)
	}
	if pc, err := gdb.Register(15); err != nil || pc != guestBase {
		t.Errorf("it stands at %#x, %v; want the first instruction, %#x", pc, err, guestBase)
	}
	if text := m.Console(); text != "" {
		t.Errorf("it has printed %q before it was let go", text)
	}
	if _, err := gdb.Command("D"); err != nil { // detach
		t.Fatal(err)
	}
	if code, err := m.Wait(); code != 42 || err != nil {
		t.Errorf("it ended with %d, %v; %s", code, err, m.ConsoleTail())
	}
}

func TestDebuggerPortTaken(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(t.Context(), Config{Image: writeGuest(t, guestExit), Debugger: true, DebuggerPort: l.Addr().(*net.TCPAddr).Port})
	if !errors.Is(err, ErrPortTaken) {
		t.Errorf("%v, want ErrPortTaken", err)
	}
	if _, err := Start(t.Context(), Config{Image: writeGuest(t, guestExit), Debugger: true, DebuggerPort: 65536}); err == nil {
		t.Error("port 65536 was accepted")
	}
}
