package cli

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"ingot.dev/tools/ingot/internal/serial/serialtest"
)

// A console comes from a serial port, and what is typed goes there.
func TestMonitorDevice(t *testing.T) {
	board, port := serialtest.Open(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stdout, stderr lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{"monitor", "--device", port, "--color", "always"}, strings.NewReader("reset\n"), &stdout, &stderr)
	}()
	typed := make([]byte, len("reset\n"))
	if _, err := io.ReadFull(board, typed); err != nil || string(typed) != "reset\n" {
		t.Fatalf("the board gets %q, %v", typed, err)
	}
	io.WriteString(board, "login: \r\npanic: told to\r\n")
	want := "login: \n" + red + "panic: told to" + reset + "\n"
	for deadline := time.Now().Add(time.Minute); stdout.String() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q, want %q; %s", stdout.String(), want, stderr.String())
		}
	}
	interrupt()
	if code := <-ended; code != ExitOK || stderr.String() != "" {
		t.Errorf("after Ctrl-C: status %d, %q", code, stderr.String())
	}
}

// A device that is pulled out ends it, with a reason.
func TestMonitorDeviceGone(t *testing.T) {
	board, port := serialtest.Open(t)
	ended := make(chan int, 1)
	var stdout, stderr lockedBuffer
	go func() {
		ended <- Run(t.Context(), []string{"monitor", "--device", port}, strings.NewReader("x"), &stdout, &stderr)
	}()
	io.ReadFull(board, make([]byte, 1)) // it has opened the port
	board.Close()
	if code := <-ended; code != ExitFailure || !strings.Contains(stderr.String(), port+" is gone") {
		t.Errorf("status %d, %q", code, stderr.String())
	}
}
