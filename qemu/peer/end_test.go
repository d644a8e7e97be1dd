package peer

import (
	"net"
	"testing"
	"time"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
)

func TestDevice(t *testing.T) {
	for name, delay := range map[string]time.Duration{"at once": 0, "delayed": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			nictest.Run(t, func(t *testing.T) (nic.Device, nic.Device) { return ends(t, delay) })
		})
	}
}

// ends returns both ends of a wire.
func ends(t *testing.T, delay time.Duration) (a, b *end) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return newEnd(dialed, net.HardwareAddr{2, 0, 0, 0, 0, 1}, delay), newEnd(accepted, net.HardwareAddr{2, 0, 0, 0, 0, 2}, delay)
}

// What comes within the delay is seen when that has passed, all of it at once; and also
// when nothing more can come.
func TestDelay(t *testing.T) {
	a, b := ends(t, time.Hour)
	defer b.Close()
	const frames = 3
	send := func() {
		for range frames {
			copy(a.TxSlot(), b.addr)
			a.CommitTx(minFrame)
		}
		a.FlushTx()
		for here := false; !here; time.Sleep(time.Millisecond) {
			b.mu.Lock()
			here = b.arrived == b.next+frames
			b.mu.Unlock()
		}
	}
	send()
	if _, ok := b.NextRx(); ok {
		t.Error("a frame was seen before its interrupt")
	}
	b.interrupt()
	if err := b.WaitRx(); err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		if _, ok := b.NextRx(); !ok {
			t.Fatalf("frame %d of %d was not seen", i+1, frames)
		}
	}
	b.ReleaseRx()
	send()
	a.Close()
	if err := b.WaitRx(); err != nil {
		t.Errorf("what came before the end: %v", err)
	}
}
