package netstack

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// tables are those of a new stack, and the rules that each has.
var tables = map[stack.TableID]int{stack.NATID: 5, stack.MangleID: 3, stack.FilterID: 4, stack.RawID: 3}

func newTables() *stack.IPTables {
	return stack.New(stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol}}).IPTables()
}

// gVisor's filters are there for who looks at them, in images too, which make them only
// then: rules that accept everything, and an error behind them.
func TestFilters(t *testing.T) {
	it := newTables()
	for _, v6 := range []bool{false, true} {
		for id, n := range tables {
			table := it.GetTable(id, v6)
			if len(table.Rules) != n {
				t.Fatalf("table %d, IPv6 %v: %d rules, want %d", id, v6, len(table.Rules), n)
			}
			for i, rule := range table.Rules {
				_, accepts := rule.Target.(*stack.AcceptTarget)
				if _, fails := rule.Target.(*stack.ErrorTarget); accepts != (i < n-1) || fails == accepts {
					t.Errorf("table %d, IPv6 %v, rule %d: %T", id, v6, i, rule.Target)
				}
			}
			// The same, or a table of its own: others don't come with it.
			other := newTables()
			other.ReplaceTable(id, table, v6)
			if other.Modified() {
				t.Errorf("table %d, IPv6 %v: another stack's is another", id, v6)
			}
			if got := other.GetTable(id, !v6); len(got.Rules) != n {
				t.Errorf("table %d, IPv6 %v: %d rules after a replacement, want %d", id, !v6, len(got.Rules), n)
			}
		}
	}
	seen := 0
	newTables().VisitTargets(func(target stack.Target) stack.Target {
		seen++
		return target
	})
	if want := 2 * (5 + 3 + 4 + 3); seen != want {
		t.Errorf("%d targets, want %d", seen, want)
	}
	// A table that is none of the defaults' stays what it is.
	empty := new(stack.IPTables)
	if n := len(empty.GetTable(stack.NATID, false).Rules); n != 0 {
		t.Errorf("%d rules of no tables", n)
	}
}

// A filter that drops what comes in drops it, from when it is there on.
func TestFilterDrops(t *testing.T) {
	it := newTables()
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{ReserveHeaderBytes: header.IPv4MinimumSize})
	defer pkt.DecRef()
	header.IPv4(pkt.NetworkHeader().Push(header.IPv4MinimumSize)).Encode(&header.IPv4Fields{TotalLength: header.IPv4MinimumSize, TTL: 1, Protocol: 17})
	pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
	if !it.CheckInput(pkt, "eth0") {
		t.Error("a packet is dropped, with no filter")
	}
	table := it.GetTable(stack.FilterID, false)
	table.Rules[table.BuiltinChains[stack.Input]].Target = &stack.DropTarget{NetworkProtocol: header.IPv4ProtocolNumber}
	it.ForceReplaceTable(stack.FilterID, table, false)
	if it.CheckInput(pkt, "eth0") {
		t.Error("a packet passes a filter that drops all")
	}
	if !it.CheckOutput(pkt, nil, "eth0") {
		t.Error("a packet on its way out is dropped")
	}
}
