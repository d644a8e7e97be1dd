package tlsio

import (
	"fmt"
	"net"
	"slices"
	"sync"
)

// ErrBudget is the cause where a Budget had no memory left: of a refused connection,
// or of a failed Reserve.
var ErrBudget error = &sentinel{"tlsio: the memory budget is used up", nil}

// What connections hold of memory, in bytes; TestBudgetConstants measures it and
// fails where one of these is too low. They are upper bounds of what is live, with
// the goroutines' stacks, not averages.
const (
	// costHandshake is a server's handshake under way: crypto/tls's state, the
	// hello and what is kept of it, the goroutine that runs it. More than
	// handshakeInput bytes from the peer cost inputFactor times their number besides.
	costHandshake  = 48 << 10
	handshakeInput = 8 << 10
	inputFactor    = 3

	// costConnection is an established connection through which records of full
	// length have passed: crypto/tls keeps the buffer of the largest.
	costConnection = 44 << 10

	// costPlain is an accepted connection without TLS.
	costPlain = 4 << 10

	// costInstance is a TCP or TLS class on a connection: itself, its goroutines
	// and its smallest buffers, one for each direction.
	costInstance = 16<<10 + 2*bufferSmall
)

// BudgetKind says what memory is used for.
type BudgetKind uint8

const (
	BudgetHandshakes  BudgetKind = iota // connections whose handshake is under way
	BudgetConnections                   // connections that are established
	BudgetBuffers                       // input and output of TCP and TLS instances
	BudgetQueues                        // what programs reserve: lines, messages to be sent
	BudgetTransport                     // the network's own buffers, at their largest
	budgetKinds
)

// A Budget bounds the memory of any number of listeners, connections and instances
// together. What is used of it never exceeds its limit: a connection that doesn't fit
// is refused before it costs anything, and one that was admitted has what it needs to
// make progress, whatever the others do. More than that it gets while there is room:
//
//   - An instance's buffers begin with 2 KB in each direction, which are its own. They
//     grow to 32 KB when there is room. When there is none, input waits in the network,
//     and Write returns ErrOverflow with the count that it would take now; the counts
//     of OnWritable and Writable are forecasts then. Who was turned away comes first when
//     memory is released, in turn, and OnWritable is called. Outputs come before
//     inputs, which can't take the last of it: so writes of more than 2 KB go on too,
//     one after another if need be, as long as peers read. Set idle timeouts for
//     those that don't. What is sent in several TLS records takes 40 KB more meanwhile,
//     where nobody waits for them; else each record is sent by itself.
//   - Programs account for what they queue with Reserve and Release of the connection's
//     Account.
//
// It counts what connections were measured to hold at most, so the heap is usually
// well below. On a network that says what its connections and its backlog hold
// (MeasuredNetwork), that is counted too: with netstack's default buffers 0.8 MB a
// connection and 57 MB a listener. A firmware with less makes them smaller, for a
// listener on network.With(inet.Options{Backlog: 8, ReadBuffer: 16 << 10, WriteBuffer:
// 16 << 10}) 0.6 MB and 72 KB a connection.
//
// Not counted are what a program's own code allocates, unless it is reserved, and
// garbage: leave the collector room beside the budget.
//
// All methods may be called from any goroutine.
type Budget struct {
	// Functions, not methods, so that a program without a Budget doesn't carry them.
	fits   func(*Budget, cost) error
	open   func(*Budget, cost, net.Conn) (net.Conn, error)
	listen func(*Budget, *cost, Network) (leave func(), err error)

	limit         int64
	perConnection int64 // 0: no limit but the budget's

	mu       sync.Mutex
	used     int64
	peak     int64
	kinds    [budgetKinds]int64
	accounts int
	largest  int64
	refused  uint64
	denied   uint64
	waiters  [2][]waiter // for a large input and a large output, first come first
}

// waiter is an *Account. As one, it would be found by reflection of TLSOptions, and the
// linker would keep its methods in programs that have no Budget.
type waiter interface {
	// grant sets a large buffer's memory aside, and returns whom to tell.
	grant(direction) (notify func())
}

// A large buffer is one for input or for output. Inputs leave the last one to outputs:
// else all could be inputs whose programs wait to write an answer.
type direction int

const (
	input direction = iota
	output
)

// need is how much memory has to be there for a buffer to become a large one. It
// takes bufferSize of it, beside the small one that is copied from.
func (d direction) need() int64 {
	if d == input {
		return 2 * bufferSize
	}
	return bufferSize
}

// NewBudget makes a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	return &Budget{limit: bytes, fits: budgetFits, open: budgetOpen, listen: budgetListen}
}

// LimitConnection makes bytes the most that one connection may hold of the budget, its
// own and the network's memory included. Call it before the budget is used.
func (b *Budget) LimitConnection(bytes int64) { b.perConnection = bytes }

// BudgetReport is a look at a Budget. Sizes are in bytes.
type BudgetReport struct {
	Limit, Used, Peak int64
	// What Used consists of.
	Handshakes, Connections, Buffers, Queues, Transport int64
	// Accounts is the number of connections and others that hold something.
	Accounts int
	// LargestAccount is the most that one of them has ever held.
	LargestAccount int64
	// Refused counts connections and other accounts that were not opened, Denied
	// the requests for more that had to wait or do without.
	Refused, Denied uint64
}

// Report returns what the budget is used for.
func (b *Budget) Report() BudgetReport {
	b.mu.Lock()
	defer b.mu.Unlock()
	return BudgetReport{
		Limit: b.limit, Used: b.used, Peak: b.peak,
		Handshakes: b.kinds[BudgetHandshakes], Connections: b.kinds[BudgetConnections], Buffers: b.kinds[BudgetBuffers],
		Queues: b.kinds[BudgetQueues], Transport: b.kinds[BudgetTransport],
		Accounts: b.accounts, LargestAccount: b.largest, Refused: b.refused, Denied: b.denied,
	}
}

// cost is what something needs to be let in.
type cost struct {
	handshake  int64 // until the handshake is done
	connection int64 // from then on, or from the start without a handshake
	transport  int64
	instance   int64
}

// first is what has to be there at admission. A connection never needs more later
// than then.
func (c cost) first() int64 {
	return max(c.handshake, c.connection) + c.transport + c.instance
}

// Account is what one connection, or anything else that holds memory, has of a Budget.
// A nil Account stands for no budget: everything can be reserved.
type Account struct {
	b    *Budget
	cost cost

	// Guarded by b.mu.
	held    [budgetKinds]int64
	total   int64
	input   int64 // bytes of the handshake so far
	closed  bool
	waiting [2]bool // stands in b.waiters
	credit  [2]bool // a large buffer's memory is set aside: its turn has come
	notify  func()  // called when it has; must not block nor take locks of callers of release
}

// Account opens an account for something that isn't a connection of a listener with
// this budget: a connection of the program's own, a cache. bytes is what it needs at
// once, as BudgetConnections. It returns ErrBudget if there is no room. Close it. It
// panics if bytes is negative.
func (b *Budget) Account(bytes int64) (*Account, error) {
	if bytes < 0 {
		panic("tlsio: an Account of a negative number of bytes")
	}
	return b.account(cost{connection: bytes})
}

func (b *Budget) account(c cost) (*Account, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	need := c.first()
	if err := b.roomFor(need); err != nil {
		b.refused++
		return nil, err
	}
	a := &Account{b: b, cost: c}
	kind, own := BudgetConnections, c.connection
	if c.handshake > 0 {
		kind, own = BudgetHandshakes, max(c.handshake, c.connection)
	}
	b.accounts++
	a.add(kind, own)
	a.add(BudgetTransport, c.transport)
	a.add(BudgetBuffers, c.instance)
	return a, nil
}

// roomFor says whether an account of n bytes can be opened. b.mu is held.
func (b *Budget) roomFor(n int64) error {
	switch {
	case b.perConnection > 0 && n > b.perConnection:
		return fmt.Errorf("%w: %d bytes for a connection, %d allowed for one", ErrBudget, n, b.perConnection)
	case n > b.limit-b.used:
		return ErrBudget
	}
	return nil
}

// budgetFits is Budget.fits.
func budgetFits(b *Budget, c cost) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.roomFor(c.first())
	if err != nil {
		b.refused++
	}
	return err
}

// add notes n bytes more, or less. b.mu is held.
func (a *Account) add(kind BudgetKind, n int64) {
	b := a.b
	a.held[kind] += n
	a.total += n
	b.kinds[kind] += n
	b.used += n
	b.peak = max(b.peak, b.used)
	b.largest = max(b.largest, a.total)
}

// take reserves n bytes if there is room. b.mu is held.
func (a *Account) take(kind BudgetKind, n int64) bool {
	b := a.b
	if a.closed || n > b.limit-b.used || b.perConnection > 0 && n > b.perConnection-a.total {
		b.denied++
		return false
	}
	a.add(kind, n)
	return true
}

// Reserve takes n bytes more. It returns ErrBudget, and takes nothing, if the budget or
// the connection's share of it has less, or the account is closed. It panics if n is
// negative.
func (a *Account) Reserve(kind BudgetKind, n int) error {
	if n < 0 {
		panic("tlsio: Reserve of a negative number of bytes")
	}
	if a == nil {
		return nil
	}
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	if !a.take(kind, int64(n)) {
		return ErrBudget
	}
	return nil
}

// reserveSpare is Reserve for what can be done without: it leaves a large buffer, and
// takes nothing while somebody waits for one.
func (a *Account) reserveSpare(kind BudgetKind, n int) bool {
	if a == nil {
		return true
	}
	b := a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.closed || int64(n)+bufferSize > b.limit-b.used || len(b.waiters[output])+len(b.waiters[input]) > 0 ||
		b.perConnection > 0 && int64(n)+bufferSize > b.perConnection-a.total {
		return false
	}
	a.add(kind, int64(n))
	return true
}

// Release gives n bytes back that Reserve has taken. After Close it does nothing. It
// panics if the account doesn't hold as many.
func (a *Account) Release(kind BudgetKind, n int) {
	if a == nil {
		return
	}
	held := &a.held[kind] // panics here, not under mu
	a.b.mu.Lock()
	if a.closed {
		a.b.mu.Unlock()
		return
	}
	if n < 0 || int64(n) > *held {
		held := *held
		a.b.mu.Unlock()
		panic(fmt.Sprintf("tlsio: Release of %d bytes, %d are held", n, held))
	}
	a.add(kind, -int64(n))
	a.b.settle()
}

// Held returns how many bytes the account holds.
func (a *Account) Held() int64 {
	if a == nil {
		return 0
	}
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	return a.total
}

// Close gives everything back. Closing again does nothing.
func (a *Account) Close() {
	if a == nil {
		return
	}
	b := a.b
	b.mu.Lock()
	if a.closed {
		b.mu.Unlock()
		return
	}
	a.closed, a.credit = true, [2]bool{}
	for d, queue := range b.waiters {
		if i := slices.Index(queue, waiter(a)); i >= 0 {
			b.waiters[d] = slices.Delete(queue, i, i+1)
		}
	}
	for kind, n := range a.held {
		a.add(BudgetKind(kind), -n)
	}
	b.accounts--
	b.settle()
}

// received is told of bytes that came during the handshake.
func (a *Account) received(n int) error {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.input += int64(n)
	if more := min(int64(n), a.input-handshakeInput); more > 0 && !a.take(BudgetHandshakes, inputFactor*more) {
		return ErrBudget
	}
	return nil
}

// established is told when the handshake is done.
func (a *Account) established() {
	a.b.mu.Lock()
	if !a.closed {
		a.add(BudgetHandshakes, -a.held[BudgetHandshakes])
		a.add(BudgetConnections, a.cost.connection)
	}
	a.b.settle()
}

// free reports whether a large buffer can be had now, by who is next. b.mu is held.
func (b *Budget) free(d direction) bool {
	return d.need() <= b.limit-b.used && len(b.waiters[output]) == 0 && len(b.waiters[d]) == 0
}

// grow takes the memory of a large buffer. If there is none, the account queues for
// it, and false is returned.
func (a *Account) grow(d direction) bool {
	b := a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case a.closed || b.perConnection > 0 && bufferSize > b.perConnection-a.total:
		b.denied++
		return false
	case a.credit[d]:
		a.credit[d] = false
		return true
	case b.free(d):
		return a.take(BudgetBuffers, bufferSize)
	}
	b.denied++
	if !a.waiting[d] && a.notify != nil {
		a.waiting[d] = true
		b.waiters[d] = append(b.waiters[d], a)
	}
	return false
}

// forecast reports whether grow would do now.
func (a *Account) forecast(d direction) bool {
	b := a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	return a.credit[d] || b.free(d) && (b.perConnection == 0 || bufferSize <= b.perConnection-a.total)
}

// pass gives back turns that were not used.
func (a *Account) pass() {
	a.b.mu.Lock()
	for d := range a.credit {
		if a.credit[d] {
			a.credit[d] = false
			a.add(BudgetBuffers, -bufferSize)
		}
	}
	a.b.settle()
}

// grant implements waiter. b.mu is held.
func (a *Account) grant(d direction) func() {
	a.waiting[d], a.credit[d] = false, true
	a.add(BudgetBuffers, bufferSize)
	return a.notify
}

// settle hands memory to those who wait for it, outputs first, and unlocks b.mu.
func (b *Budget) settle() {
	var turn []func()
	for _, d := range []direction{output, input} {
		for len(b.waiters[d]) > 0 && d.need() <= b.limit-b.used {
			turn = append(turn, b.waiters[d][0].grant(d))
			b.waiters[d] = slices.Delete(b.waiters[d], 0, 1)
		}
		if len(b.waiters[d]) > 0 {
			break
		}
	}
	b.mu.Unlock()
	for _, notify := range turn {
		notify()
	}
}

// MeasuredNetwork is what a Network may be as well: one that knows how much memory its
// connections and listeners hold at most, in bytes. A Budget counts it.
type MeasuredNetwork interface {
	Memory() (connection, listener int64)
}

// budgetListen is Budget.listen: it adds to c what the network's connections hold, and
// takes what its listener does.
func budgetListen(b *Budget, c *cost, n Network) (leave func(), err error) {
	m, ok := n.(MeasuredNetwork)
	if !ok {
		if most := b.limit; c.first() > most || b.perConnection > 0 && c.first() > b.perConnection {
			return nil, &OptionError{"Budget", most, fmt.Sprintf("a connection needs %d bytes; give the budget more, and LimitConnection", c.first())}
		}
		return nil, nil
	}
	var listener int64
	c.transport, listener = m.Memory()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.roomFor(c.first()) != nil || listener > b.limit-b.used-c.first() {
		return nil, &OptionError{"Budget", b.limit, fmt.Sprintf(
			"this network needs %d bytes for a listener and %d for a connection; give it a smaller backlog and smaller buffers, or the budget more", listener, c.first())}
	}
	// Not by b.account: LimitConnection isn't about listeners.
	a := &Account{b: b}
	b.accounts++
	a.add(BudgetTransport, listener)
	return a.Close, nil
}
