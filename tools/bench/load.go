package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ingot.dev/firmware/bench"
)

// load measures what many connections do to each other and to the memory, over a wire of
// their own: QEMU's user-mode network accepts one at a time.
func (r *run) load(ctx context.Context) error {
	if err := r.owners(ctx); err != nil {
		return err
	}
	if err := r.onWire(ctx, wiring{}, func(ctx context.Context, t *target, c *control) error {
		for _, step := range []func(context.Context, *target, *control) error{r.thousands, r.echoBeside, r.crowd, r.flood, r.lossy} {
			if err := step(ctx, t, c); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return r.virtual(ctx)
}

// loadRounds is how often times under load are measured. The median of the rounds' own
// percentiles counts: what else the host does hits some of them.
const loadRounds = 5

// A stream is what may go on beside something else, over TLS.
type stream struct {
	id, title string
	service   service
	move      func(halfCloser, int64) (time.Duration, error)
}

var streamsBeside = []stream{
	{"out", "while a connection receives at full rate", sourceService, receive},
	{"in", "while a connection sends at full rate", sinkService, send},
}

// beside calls f while a stream goes as fast as it can.
func (t *target) beside(ctx context.Context, s stream, f func() error) error {
	streaming, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- t.on(streaming, s.service, true, func(c halfCloser) error {
			_, err := s.move(c, 1<<40)
			return err
		})
	}()
	err := f()
	select {
	case e := <-ended: // by itself
		return errors.Join(err, fmt.Errorf("the stream beside it: %w", e))
	default:
		cancel()
		<-ended
		return err
	}
}

// echoBeside measures echoes while another connection streams as fast as it can.
func (r *run) echoBeside(ctx context.Context, t *target, _ *control) error {
	r.result.section("TLS echo of 64 bytes, under load")
	for _, s := range streamsBeside {
		r.say("echoes %s", s.title)
		var p50, p99 time.Duration
		if err := t.beside(ctx, s, func() (err error) {
			p50, p99, err = t.echoesUnderLoad(ctx, r.amounts.loadEchoes)
			return err
		}); err != nil {
			return err
		}
		r.result.add("load.echo."+s.id+".p50", s.title+", p50", milliseconds(p50), "ms", "")
		r.result.add("load.echo."+s.id+".p99", s.title+", p99", milliseconds(p99), "ms", "")
	}
	return nil
}

// echoesUnderLoad returns the medians of the rounds' percentiles.
func (t *target) echoesUnderLoad(ctx context.Context, n int) (p50, p99 time.Duration, err error) {
	var halves, most []time.Duration
	err = t.on(ctx, echoService, true, func(c halfCloser) error {
		for range loadRounds {
			took, err := echo(c, 64, n)
			if err != nil {
				return err
			}
			halves, most = append(halves, percentile(took, 50)), append(most, percentile(took, 99))
		}
		return nil
	})
	return median(halves), median(most), err
}

// crowdSize is how many clients do handshakes at the same time, crowdRounds how often.
const (
	crowdSize   = 8
	crowdRounds = 9
)

// crowd measures how evenly clients are served that do handshakes at the same time.
func (r *run) crowd(ctx context.Context, t *target, _ *control) error {
	r.say("handshakes of %d clients at a time", crowdSize)
	r.result.section(fmt.Sprintf("Full handshakes of %d clients at a time", crowdSize))
	var even evenness
	for range crowdRounds {
		took, err := t.crowd(ctx, crowdSize, r.amounts.loadShakes)
		if err != nil {
			return err
		}
		even.add(took)
	}
	r.result.add("load.handshake.p50", "with their connect, p50", milliseconds(median(even.halves)), "ms", "")
	r.result.add("load.handshake.spread", "p99 ÷ p50", even.ratio(), "", even.note())
	return nil
}

// evenness is what rounds of times say of how even they are.
type evenness struct {
	halves []time.Duration // p50
	ratios []float64       // p99 ÷ p50
}

func (e *evenness) add(took []time.Duration) {
	p50, p99 := percentile(took, 50), percentile(took, 99)
	e.halves, e.ratios = append(e.halves, p50), append(e.ratios, float64(p99)/float64(p50))
	slices.Sort(e.ratios)
}

// ratio is the median round's: in a round p99 is the slowest but one, and on a busy host
// there is always somebody whom that has kept from running.
func (e *evenness) ratio() float64 { return e.ratios[len(e.ratios)/2] }

func (e *evenness) note() string {
	return fmt.Sprintf("rounds: %s to %s", number(e.ratios[0]), number(e.ratios[len(e.ratios)-1]))
}

// crowd has clients do n handshakes each, and returns how long each took with its connect.
func (t *target) crowd(ctx context.Context, clients, n int) (took []time.Duration, err error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for range n {
				start := time.Now()
				c, e := t.secure(ctx, bench.PortEcho, nil)
				d := time.Since(start)
				mu.Lock()
				took, err = append(took, d), errors.Join(err, e)
				mu.Unlock()
				if e != nil {
					return
				}
				c.NetConn().Close()
			}
		})
	}
	group.Wait()
	return took, err
}

// floodSize is how many clients do nothing but handshakes.
const floodSize = 16

// flood measures echoes of an established connection in a flood of handshakes, without
// the limit on these that firmwares have.
func (r *run) flood(ctx context.Context, t *target, _ *control) error {
	r.say("echoes in a flood of handshakes")
	r.result.section(fmt.Sprintf("TLS echo of 64 bytes while %d clients do handshakes without end", floodSize))
	flooding, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	shakes := 0
	var group sync.WaitGroup
	for range floodSize {
		group.Go(func() {
			for flooding.Err() == nil {
				if c, err := t.secure(flooding, bench.PortEcho, nil); err == nil {
					mu.Lock()
					shakes++
					mu.Unlock()
					c.NetConn().Close()
				}
			}
		})
	}
	start := time.Now()
	p50, p99, err := t.echoesUnderLoad(ctx, r.amounts.loadEchoes)
	took := time.Since(start)
	mu.Lock()
	done := shakes
	mu.Unlock()
	cancel()
	group.Wait()
	if err != nil {
		return err
	}
	r.result.add("load.flood.p50", "p50", milliseconds(p50), "ms", fmt.Sprintf("%s handshakes/s meanwhile", number(perSecond(done, took))))
	r.result.add("load.flood.p99", "p99", milliseconds(p99), "ms", "")
	return nil
}

// thousands holds as many idle TLS connections as it is told to, and measures what each
// keeps of the machine's RAM: before anything was sent over it, and after an echo.
func (r *run) thousands(ctx context.Context, t *target, c *control) error {
	n := r.amounts.thousands
	r.say("holding %d TLS connections", n)
	r.result.section(fmt.Sprintf("%d idle TLS connections", n))
	before, err := c.status()
	if err != nil {
		return err
	}
	conns, err := t.holdTogether(ctx, n, patience)
	defer closeAll(conns)
	if err != nil {
		return err
	}
	var used float64
	for _, tt := range []struct{ id, title string }{{"load.connection", "RAM of each"}, {"load.connection.used", "RAM of each, after an echo"}} {
		after, err := c.status()
		if err != nil {
			return fmt.Errorf("with %d connections, %s: %w", n, tt.title, err)
		}
		each := func(before, after uint64) float64 { return (float64(after) - float64(before)) / float64(n) / 1e3 }
		r.result.add(tt.id, tt.title, each(after.Free, before.Free), "KB", fmt.Sprintf("heap %s KB, %s KB of it in use; stacks %s KB",
			number(each(before.HeapInuse, after.HeapInuse)), number(each(before.HeapAlloc, after.HeapAlloc)), number(each(before.StackInuse, after.StackInuse))))
		used = float64(r.board.RAM - int64(after.Free))
		if err := echoEach(conns); err != nil {
			return err
		}
	}
	r.result.add("load.held", "held, all answering", float64(n), "", fmt.Sprintf("%s of %s MB in use", number(used/1e6), number(float64(r.board.RAM)/1e6)))
	r.say("closing them")
	closeAll(conns)
	return settle(ctx, c, before.Goroutines, exchangeLimit)
}

// patience is for how long nobody of those who open connections may succeed before it is
// said that there are no more. A busy host is no reason: there is progress then, if
// little. It is longer than one connection may take.
const patience = 2 * exchangeLimit

// retryPause is how long somebody who was refused waits before he tries again.
const retryPause = 100 * time.Millisecond

// together is how many connections are opened, and used, at the same time.
const together = 8

// A heldError says how many connections there are when no more can be opened.
type heldError struct {
	held, wanted int
	since        time.Duration // that the last one was opened
	failed       int           // attempts since then
	last         error
}

func (e *heldError) Error() string {
	return fmt.Sprintf("%d of %d connections are open, and for %v no other could be, in %d attempts; the last: %v",
		e.held, e.wanted, e.since.Round(time.Millisecond), e.failed, e.last)
}

func (e *heldError) Unwrap() error { return e.last }

// holdTogether opens n TLS connections, and tries for as long as there is one more at least
// within patience. Those that it has made are returned with an error, too.
func (t *target) holdTogether(ctx context.Context, n int, patience time.Duration) (conns []*tls.Conn, err error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	begun, failed, progress := 0, 0, time.Now()
	for range together {
		group.Go(func() {
			for {
				mu.Lock()
				more := begun < n && err == nil
				begun++
				mu.Unlock()
				if !more {
					return
				}
				for {
					c, e := t.secure(ctx, bench.PortHeld, nil)
					mu.Lock()
					if e == nil {
						c.SetDeadline(time.Time{}) // it may be held for longer
						conns, failed, progress = append(conns, c), 0, time.Now()
					} else if failed++; err == nil && (ctx.Err() != nil || time.Since(progress) >= patience) {
						err = &heldError{len(conns), n, time.Since(progress), failed, e}
					}
					ended := err != nil
					mu.Unlock()
					if e == nil || ended {
						break
					}
					select {
					case <-time.After(retryPause):
					case <-ctx.Done():
					}
				}
			}
		})
	}
	group.Wait()
	return conns, err
}

// echoEach sends a little over each connection and expects it back.
func echoEach(conns []*tls.Conn) error {
	var group sync.WaitGroup
	errs := make([]error, together)
	for i := range together {
		group.Go(func() {
			for j := i; j < len(conns) && errs[i] == nil; j += together {
				conns[j].SetDeadline(time.Now().Add(exchangeLimit))
				if _, err := echo(conns[j], 8, 1); err != nil {
					errs[i] = fmt.Errorf("connection %d of %d: %w", j+1, len(conns), err)
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// An owner is somebody who holds memory for a connection, known by the beginnings of the
// names of his functions.
type owner struct {
	id, title string
	functions []string
}

// owners, in the order in which they are asked. What the runtime does for somebody
// (making a map or a timer, copying text) is his whose function is the first that
// isn't the runtime's.
var owners = []owner{
	{"gvisor", "gVisor's endpoint, its timers and routes", []string{"gvisor.dev/", "gvisor/", "github.com/google/btree", "golang.org/x/time"}},
	{"netstack", "our connection on it", []string{"ingot.dev/net/"}},
	{"tls", "crypto/tls", []string{"crypto/", "vendor/golang.org/x/crypto/"}},
	{"tlsio", "tlsio", []string{"ingot.dev/tlsio"}},
	{"firmware", "firmware", []string{"ingot.dev/firmware"}},
}

// helpers are packages whose memory is their caller's.
var helpers = []string{"runtime.", "internal/", "bytes.", "strings.", "slices.", "maps.", "sync.", "sync/", "time.", "context.", "container/", "encoding/", "hash/", "math/"}

// ownerOf returns the index of a stack's owner; len(owners) for goroutines, which are the
// runtime's own.
func ownerOf(stack string) int {
	for _, f := range strings.Fields(stack) {
		if slices.ContainsFunc(helpers, func(h string) bool { return strings.HasPrefix(f, h) }) {
			continue
		}
		return slices.IndexFunc(append(slices.Clone(owners), owner{functions: []string{""}}), func(o owner) bool {
			return slices.ContainsFunc(o.functions, func(p string) bool { return strings.HasPrefix(f, p) })
		})
	}
	return len(owners)
}

// owners divides the memory of an idle connection among those who hold it.
func (r *run) owners(ctx context.Context) error {
	n := r.amounts.owned
	r.say("who holds memory for %d TLS connections", n)
	m, t, c, err := r.boot(ctx, "", bench.LiveVar+"=1")
	if err != nil {
		return err
	}
	defer m.Stop()
	defer c.Close()
	return describe(m, r.ownersOf(ctx, t, c, n))
}

func (r *run) ownersOf(ctx context.Context, t *target, c *control, n int) error {
	r.result.section(fmt.Sprintf("Memory in use for an idle TLS connection, of %d", n))
	// Tables that grow with the first connections are not those of the others.
	first, err := t.hold(ctx, n/4)
	defer func() { closeAll(first) }()
	if err != nil {
		return err
	}
	before, stacksBefore, err := c.live()
	if err != nil {
		return err
	}
	conns, err := t.hold(ctx, n)
	defer func() { closeAll(conns) }()
	if err != nil {
		return err
	}
	after, stacks, err := c.live()
	if err != nil {
		return err
	}
	for i, o := range owners {
		r.result.add("memory.owner."+o.id, o.title, (after[i]-before[i])/float64(n), "bytes", "")
	}
	other := len(owners)
	r.result.add("memory.owner.runtime", "the runtime: goroutines, and others", (after[other]-before[other])/float64(n), "bytes", "")
	r.result.add("memory.owner.stacks", "goroutines' stacks", (stacks-stacksBefore)/float64(n), "bytes", "")
	return nil
}

// live returns the bytes that each owner has, and those of stacks.
func (c *control) live() (byOwner []float64, stacks float64, err error) {
	a, err := c.ask(bench.Request{Op: "live"})
	if err != nil {
		return nil, 0, err
	}
	byOwner = make([]float64, len(owners)+1)
	for _, l := range a.Live {
		byOwner[ownerOf(l.Stack)] += float64(l.Bytes)
	}
	s, err := c.status()
	return byOwner, float64(s.StackInuse), err
}
