package simnet

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ingot.dev/board"
)

// SelectVar is the environment variable that picks the network of a package's
// tests; see [Selected].
const SelectVar = "INGOT_TEST_NETWORK"

// Dialer dials and listens, as tlsio.Network does.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Listen(ctx context.Context, network, address string) (net.Listener, error)
}

// Selected returns the network that INGOT_TEST_NETWORK asks for, or nil for the
// operating system's:
//
//	host       the operating system's, the default where there is one
//	netstack   the loopback interface of one of our stacks, the default on a board
//	wire       two stacks joined by a perfect wire
//	wire:SEED  two stacks joined by one with faults
//
// In all of them 127.0.0.1 reaches what listens. There is one per process, which
// lives as long.
func Selected(t testing.TB) Dialer {
	t.Helper()
	d, err := selected()
	if err != nil {
		t.Fatalf("%s: %v", SelectVar, err)
	}
	return d
}

var selected = sync.OnceValues(func() (Dialer, error) {
	text := os.Getenv(SelectVar)
	if text == "" && board.Name != "" {
		text = "netstack"
	}
	kind, seed, faulty := strings.Cut(text, ":")
	switch kind {
	case "", "host":
		return nil, nil
	case "netstack":
		return Loopback(context.Background())
	case "wire":
		o := Perfect()
		if faulty {
			n, err := strconv.ParseUint(seed, 10, 64)
			if err != nil {
				return nil, err
			}
			o = Faults(n)
		}
		n, err := Open(context.Background(), o)
		if err != nil {
			return nil, err
		}
		return n.Local(), nil
	}
	return nil, fmt.Errorf("%q: use host, netstack, wire or wire:SEED", text)
})
