package peer

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"ingot.dev/board/boards"
	"ingot.dev/net/netstack"
)

// Addresses of both ends.
const (
	Host  = "10.0.2.2"
	Guest = "10.0.2.15"
)

const prefix = "/24"

// netID is what QEMU calls the wire.
const netID = "net0"

// A Wire waits for a machine to be plugged in. Close it when that has ended.
type Wire struct {
	// Delay is how long after a frame our end takes notice of it, and of all that have come
	// meanwhile, as network cards that moderate their interrupts do; 0 is at once. A stack
	// that gets segments together acknowledges them together. Set it before Open.
	Delay time.Duration

	listener net.Listener

	mu     sync.Mutex
	faults Faults
	end    *end // nil until Open
}

// Listen makes a wire.
func Listen() (*Wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	return &Wire{listener: l}, nil
}

// Args are for qemu.Config.ExtraArgs; board is a name from package boards, or empty for
// boards.Default. The machine must have no other network.
func (w *Wire) Args(board string) ([]string, error) {
	b, err := boards.ByName(board)
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	var args []string
	for i := range b.QEMU.NICPort {
		args = append(args, "-nic", fmt.Sprintf("hubport,id=unused%d,hubid=%d,model=%s", i, i+1, b.QEMU.NIC))
	}
	return append(args, "-nic", fmt.Sprintf("socket,id=%s,model=%s,connect=%s", netID, b.QEMU.NIC, w.listener.Addr())), nil
}

// Env are settings of package firmware, for qemu.Config.Env: there is no DHCP server.
func (w *Wire) Env() []string {
	return []string{"INGOT_ADDR=" + Guest + prefix, "INGOT_GATEWAY=" + Host, "INGOT_IPV6=off"}
}

// Open returns the stack at the host's end, once QEMU has plugged the machine in. The
// caller closes it.
func (w *Wire) Open(ctx context.Context) (*netstack.Stack, error) {
	stop := context.AfterFunc(ctx, func() { w.listener.Close() })
	conn, err := w.listener.Accept()
	if !stop() && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("peer: no machine was plugged in: %w", err)
	}
	end := newEnd(conn, net.HardwareAddr{2, 0, 0, 0, 0, 1}, w.Delay)
	w.mu.Lock()
	w.end = end
	end.disturb(w.faults)
	w.mu.Unlock()
	return netstack.Open(ctx, end, netstack.Config{
		Address: netip.MustParsePrefix(Host + prefix), NoIPv6: true, Log: slog.New(slog.DiscardHandler),
	})
}

// Disturb has the wire do f to what goes over it from now on, in both directions.
func (w *Wire) Disturb(f Faults) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = f
	if w.end != nil {
		w.end.disturb(f)
	}
}

// Lost returns how many frames Faults have cost so far.
func (w *Wire) Lost() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	if w.end != nil {
		for _, l := range []*line{&w.end.in, &w.end.out} {
			l.mu.Lock()
			n += l.lost
			l.mu.Unlock()
		}
	}
	return n
}

// Close lets nobody be plugged in any more.
func (w *Wire) Close() error { return w.listener.Close() }
