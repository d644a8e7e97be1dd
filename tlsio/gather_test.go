package tlsio

import (
	"bytes"
	"errors"
	"net"
	"testing"
)

// writes is a transport that notes what is written.
type writes struct {
	net.Conn
	all  [][]byte
	fail int // number of writes after which they fail; 0 for never
}

var errBroken = errors.New("broken on purpose")

func (w *writes) Write(p []byte) (int, error) {
	if w.fail > 0 && len(w.all) == w.fail {
		return 1, errBroken
	}
	w.all = append(w.all, bytes.Clone(p))
	return len(p), nil
}

func TestGather(t *testing.T) {
	for _, c := range []struct {
		name    string
		records []int
		want    []int // bytes of each write to the transport
	}{
		{"nothing", nil, nil},
		{"one", []int{5}, []int{5}},
		{"two", []int{5, 6}, []int{11}},
		{"as many as fit", []int{50, 50}, []int{100}},
		{"more than fit", []int{50, 51, 20}, []int{50, 71}},
		{"longer than all", []int{10, 200, 20}, []int{10, 200, 20}},
		{"only longer", []int{200}, []int{200}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := &writes{}
			g := &gatherer{}
			w := &wire{raw: raw, established: true, gather: g}
			g.begin(make([]byte, 100))
			var sent []byte
			for i, n := range c.records {
				p := bytes.Repeat([]byte{byte(i + 1)}, n)
				if m, err := w.Write(p); m != n || err != nil {
					t.Fatalf("Write: %d, %v", m, err)
				}
				sent = append(sent, p...)
			}
			if err := g.end(w); err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, p := range raw.all {
				got = append(got, len(p))
			}
			if len(got) != len(c.want) {
				t.Fatalf("writes of %v bytes, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("writes of %v bytes, want %v", got, c.want)
				}
			}
			if !bytes.Equal(bytes.Join(raw.all, nil), sent) {
				t.Error("other bytes were written, or in another order")
			}
			if w.Write([]byte{9}); len(raw.all) != len(c.want)+1 {
				t.Error("records are gathered after the end")
			}
		})
	}
}

// After a record that wasn't sent nothing may follow.
func TestGatherFails(t *testing.T) {
	raw := &writes{fail: 1}
	g := &gatherer{}
	w := &wire{raw: raw, established: true, gather: g}
	g.begin(make([]byte, 10))
	for _, n := range []int{8, 8} {
		if _, err := w.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.end(w); err != errBroken {
		t.Errorf("end: %v", err)
	}
	raw.fail = 0
	if n, err := w.Write([]byte{1}); n != 0 || err != errBroken || len(raw.all) != 1 {
		t.Errorf("Write after that: %d, %v, %d writes", n, err, len(raw.all))
	}
}

// Sending records together takes memory that nobody else wants.
func TestReserveSpare(t *testing.T) {
	const n = recordsSize
	b := NewBudget(n + 2*bufferSize)
	a, err := b.Account(0)
	if err != nil {
		t.Fatal(err)
	}
	if !a.reserveSpare(BudgetBuffers, n) || a.Held() != n {
		t.Errorf("refused, or %d held of %d", a.Held(), n)
	}
	if a.reserveSpare(BudgetBuffers, n) {
		t.Error("more was taken than there is")
	}
	a.Release(BudgetBuffers, n)
	if err := a.Reserve(BudgetQueues, bufferSize+1); err != nil {
		t.Fatal(err)
	}
	if a.reserveSpare(BudgetBuffers, n) {
		t.Error("the last large buffer was taken")
	}
	a.Release(BudgetQueues, bufferSize+1)

	// Who waits for a buffer comes first.
	other, err := b.Account(n + bufferSize)
	if err != nil {
		t.Fatal(err)
	}
	waits, err := b.Account(0)
	if err != nil {
		t.Fatal(err)
	}
	turn := make(chan struct{}, 1)
	waits.notify = func() { turn <- struct{}{} }
	if waits.grow(input) { // which can't have the last one
		t.Fatal("an input has taken the last buffer")
	}
	if a.reserveSpare(BudgetBuffers, 1) {
		t.Error("taken from those who wait")
	}
	if b.Report().Denied != 1 {
		t.Errorf("%d requests were denied; what can be done without isn't one", b.Report().Denied)
	}
	other.Close()
	within(t, "turn", turn)
	waits.Close()
	a.Close()
	if a.reserveSpare(BudgetBuffers, 1) {
		t.Error("taken by a closed account")
	}
	empty(t, b)
	if !(*Account)(nil).reserveSpare(BudgetBuffers, n) {
		t.Error("no budget has limits")
	}
}
