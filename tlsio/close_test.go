package tlsio

import (
	"testing"
	"time"
)

// A peer that breaks a record and then doesn't read the alert can hold up the Read
// that sends it, but neither Close nor, from then on, that Read.
func TestCloseWhileAlertIsStuck(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the time-outs of Close")
	}
	leaks(t)
	c, peer := securedPipe(t)
	theirs := peer.NetConn()
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		read <- err
	}()
	if _, err := theirs.Write(append([]byte{23, 3, 3, 0, 32}, make([]byte, 32)...)); err != nil {
		t.Fatal(err)
	}
	// The Read is in its alert when the peer sees the first byte of it.
	theirs.SetReadDeadline(time.Now().Add(limit))
	if _, err := theirs.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); c.Close() }()
	for _, what := range []struct {
		name string
		done func() bool
	}{
		{"Close", func() bool { <-closed; return true }},
		{"Read", func() bool { return <-read != nil }},
	} {
		ended := make(chan bool, 1)
		go func() { ended <- what.done() }()
		select {
		case ok := <-ended:
			if !ok {
				t.Errorf("%s: no error", what.name)
			}
		case <-time.After(limit):
			t.Fatalf("%s hangs", what.name)
		}
	}
}
