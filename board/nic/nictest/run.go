package nictest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"testing"
	"time"

	"ingot.dev/board/nic"
)

// patience bounds every wait of the compliance test. It is long because test
// machines are slow; nothing waits for it when the device works.
const patience = 30 * time.Second

// testType is the EtherType of the test's frames, one that IEEE 802 reserves for
// experiments (RFC 5342 section 2.3.4), so that checksum units leave them alone.
const testType = 0x88b5

// Run tests a [nic.Device] against the rules of its interface. connect returns
// two devices that are the ends of one wire, link up, nothing received yet; it
// is called anew for every test, and Run closes what it returns. The wire may
// lose frames only when a receive ring is full, and an empty receive ring must
// hold what a full transmit ring sends.
func Run(t *testing.T, connect func(t *testing.T) (a, b nic.Device)) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, a, b nic.Device)
	}{
		{"Properties", testProperties},
		{"Sizes", testSizes},
		{"ShortFrames", testShortFrames},
		{"SlotIsKeptUntilCommit", testSlotKept},
		{"CommitPreconditions", testCommitPreconditions},
		{"HeldFramesStayIntact", testHeldFrames},
		{"TxRingFills", testTxRingFills},
		{"PingPong", testPingPong},
		{"BothWaysAtOnce", testBothWays},
		{"Overrun", testOverrun},
		{"TxChecksums", testTxChecksums},
		{"Link", testLink},
		{"CloseWakesWaiters", testCloseWakes},
		{"UseAfterClose", testUseAfterClose},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := connect(t)
			t.Cleanup(func() {
				a.Close()
				b.Close()
			})
			tt.test(t, a, b)
		})
	}
}

// testFrame fills buf with a frame of the test, recognisable by its number.
func testFrame(buf []byte, dst, src net.HardwareAddr, number uint32) {
	copy(buf, dst)
	copy(buf[6:], src)
	binary.BigEndian.PutUint16(buf[12:], testType)
	fill := buf[14:]
	if len(fill) >= 4 {
		binary.BigEndian.PutUint32(fill, number)
		fill = fill[4:]
	}
	for i := range fill {
		fill[i] = byte(number) + byte(i)*7
	}
}

// checkFrame returns the number of a frame made by testFrame with the given
// size, after comparing all of it.
func checkFrame(got []byte, dst, src net.HardwareAddr) (uint32, error) {
	if len(got) < 18 {
		return 0, fmt.Errorf("frame of %d bytes", len(got))
	}
	number := binary.BigEndian.Uint32(got[14:])
	want := make([]byte, len(got))
	testFrame(want, dst, src, number)
	if !bytes.Equal(got, want) {
		return number, fmt.Errorf("frame %d differs:\ngot  %x\nwant %x", number, got, want)
	}
	return number, nil
}

// within fails the test when f takes too long, which a device that forgets to
// wake someone makes it do.
func within(t *testing.T, what string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	case <-timer.C:
		stacks := make([]byte, 1<<16)
		t.Fatalf("%s: still not done after %v\n%s", what, patience, stacks[:runtime.Stack(stacks, true)])
	}
}

// send transmits one frame, waiting for a slot when it must.
func send(d nic.Device, fill func(slot []byte) int) error {
	slot := d.TxSlot()
	for slot == nil {
		if err := d.WaitTx(); err != nil {
			return fmt.Errorf("WaitTx: %w", err)
		}
		slot = d.TxSlot()
	}
	if len(slot) < nic.MaxFrame {
		return fmt.Errorf("slot of %d bytes, want %d or more", len(slot), nic.MaxFrame)
	}
	d.CommitTx(fill(slot))
	return nil
}

// receive waits for frames and gives them to take, until that is content.
func receive(d nic.Device, take func(frame []byte) (done bool, err error)) error {
	for {
		if err := d.WaitRx(); err != nil {
			return fmt.Errorf("WaitRx: %w", err)
		}
		for {
			frame, ok := d.NextRx()
			if !ok {
				break
			}
			done, err := take(frame)
			if err != nil || done {
				d.ReleaseRx()
				return err
			}
		}
		d.ReleaseRx()
	}
}

func testProperties(t *testing.T, a, b nic.Device) {
	for _, d := range []nic.Device{a, b} {
		addr := d.HardwareAddr()
		if len(addr) != 6 || addr[0]&1 != 0 || bytes.Equal(addr, make([]byte, 6)) {
			t.Errorf("HardwareAddr is %v, not a unicast address", addr)
		}
		if d.MTU() != nic.MTU {
			t.Errorf("MTU is %d, want %d", d.MTU(), nic.MTU)
		}
		if d.Offloads() != d.Offloads() {
			t.Error("Offloads changes")
		}
		clear(addr)
		if bytes.Equal(d.HardwareAddr(), addr) {
			t.Error("HardwareAddr hands out the device's own memory")
		}
	}
}

func testSizes(t *testing.T, a, b nic.Device) {
	for size := 60; size <= nic.HeaderSize+nic.MTU; size++ {
		within(t, fmt.Sprintf("frame of %d bytes", size), func() error {
			if err := send(a, func(slot []byte) int {
				testFrame(slot[:size], b.HardwareAddr(), a.HardwareAddr(), uint32(size))
				return size
			}); err != nil {
				return err
			}
			a.FlushTx()
			return receive(b, func(frame []byte) (bool, error) {
				n, err := checkFrame(frame, b.HardwareAddr(), a.HardwareAddr())
				if err == nil && (int(n) != size || len(frame) != size) {
					err = fmt.Errorf("got frame %d of %d bytes", n, len(frame))
				}
				return true, err
			})
		})
	}
}

// Frames below the Ethernet minimum may arrive padded, but whole.
func testShortFrames(t *testing.T, a, b nic.Device) {
	for size := nic.HeaderSize; size < 60; size++ {
		want := make([]byte, size)
		testFrame(want, b.HardwareAddr(), a.HardwareAddr(), 0x01020304)
		within(t, fmt.Sprintf("frame of %d bytes", size), func() error {
			if err := send(a, func(slot []byte) int { return copy(slot, want) }); err != nil {
				return err
			}
			a.FlushTx()
			return receive(b, func(frame []byte) (bool, error) {
				if !bytes.HasPrefix(frame, want) || len(frame) > 60 {
					return true, fmt.Errorf("got %x, want %x and padding up to 60 bytes", frame, want)
				}
				return true, nil
			})
		})
	}
}

func testSlotKept(t *testing.T, a, b nic.Device) {
	first, second := a.TxSlot(), a.TxSlot()
	if len(first) == 0 || len(second) == 0 || &first[0] != &second[0] {
		t.Fatal("TxSlot gives another slot before CommitTx")
	}
	a.FlushTx() // nothing committed: nothing leaves
	if third := a.TxSlot(); len(third) == 0 || &first[0] != &third[0] {
		t.Fatal("TxSlot gives another slot after FlushTx")
	}
	testFrame(first[:100], b.HardwareAddr(), a.HardwareAddr(), 7)
	a.CommitTx(100)
	if next := a.TxSlot(); len(next) > 0 && &first[0] == &next[0] {
		t.Fatal("TxSlot gives a committed slot again")
	}
	a.FlushTx()
	within(t, "receive", func() error {
		return receive(b, func(frame []byte) (bool, error) {
			n, err := checkFrame(frame, b.HardwareAddr(), a.HardwareAddr())
			if err == nil && n != 7 {
				err = fmt.Errorf("frame %d, want 7: an uncommitted slot was sent", n)
			}
			return true, err
		})
	})
}

func testCommitPreconditions(t *testing.T, a, b nic.Device) {
	panics := func(what string, n int) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("CommitTx %s doesn't panic", what)
			}
		}()
		a.CommitTx(n)
	}
	panics("without TxSlot", 60)
	a.TxSlot()
	panics("of a frame shorter than its header", nic.HeaderSize-1)
	panics("of a frame longer than MaxFrame", nic.MaxFrame+1)
	panics("of a negative length", -1)
	// The slot is still there.
	testFrame(a.TxSlot()[:60], b.HardwareAddr(), a.HardwareAddr(), 1)
	a.CommitTx(60)
	panics("twice", 60)
}

// Frames keep their content until ReleaseRx, whatever arrives meanwhile.
func testHeldFrames(t *testing.T, a, b nic.Device) {
	const hold = 8
	next := uint32(0)
	emit := func(count int) error {
		for range count {
			if err := send(a, func(slot []byte) int {
				testFrame(slot[:200], b.HardwareAddr(), a.HardwareAddr(), next)
				return 200
			}); err != nil {
				return err
			}
			next++
		}
		a.FlushTx()
		return nil
	}
	var held [][]byte
	collect := func(upTo int) error {
		for len(held) < upTo {
			if err := b.WaitRx(); err != nil {
				return err
			}
			for len(held) < upTo {
				frame, ok := b.NextRx()
				if !ok {
					break
				}
				held = append(held, frame)
			}
		}
		return nil
	}
	for lap := range 40 { // several times around any ring
		within(t, fmt.Sprintf("lap %d", lap), func() error {
			first := next
			held = held[:0]
			for i := range 2 {
				if err := emit(hold); err != nil {
					return err
				}
				if err := collect((i + 1) * hold); err != nil {
					return err
				}
			}
			for i, frame := range held {
				n, err := checkFrame(frame, b.HardwareAddr(), a.HardwareAddr())
				if err != nil {
					return err
				}
				if n != first+uint32(i) {
					return fmt.Errorf("frame %d where %d was expected", n, first+uint32(i))
				}
			}
			b.ReleaseRx()
			b.ReleaseRx() // nothing to give back: harmless
			return nil
		})
	}
}

// The transmit ring says when it is full, and has room again after WaitTx.
func testTxRingFills(t *testing.T, a, b nic.Device) {
	const enough = 1 << 14
	total, arrived := uint32(0), uint32(0)
	stop := make(chan struct{})
	defer close(stop)
	seen := make(chan uint32, enough)
	go receive(b, func(frame []byte) (bool, error) {
		n, err := checkFrame(frame, b.HardwareAddr(), a.HardwareAddr())
		if err != nil {
			t.Error(err)
			n = ^uint32(0)
		}
		select {
		case seen <- n:
		default:
		}
		select {
		case <-stop:
			return true, nil
		default:
			return false, nil
		}
	})
	for range 3 {
		burst := 0
		for ; ; burst++ {
			slot := a.TxSlot()
			if slot == nil {
				break
			}
			if burst == enough {
				t.Fatalf("%d frames committed, and the ring still isn't full", burst)
			}
			testFrame(slot[:64], b.HardwareAddr(), a.HardwareAddr(), total)
			total++
			a.CommitTx(64)
		}
		if burst == 0 {
			t.Fatal("no slot after WaitTx")
		}
		within(t, "WaitTx", a.WaitTx)
		// WaitTx flushed: everything arrives, in order.
		within(t, "receive", func() error {
			for ; arrived < total; arrived++ {
				if got := <-seen; got != arrived {
					return fmt.Errorf("frame %d where %d was expected", got, arrived)
				}
			}
			return nil
		})
	}
}

// A frame at a time, to and fro: a wake-up that gets lost stops it.
func testPingPong(t *testing.T, a, b nic.Device) {
	const rounds = 1000
	play := func(me, other nic.Device, serve bool) error {
		for i := range uint32(rounds) {
			if serve {
				if err := send(me, func(slot []byte) int {
					testFrame(slot[:80], other.HardwareAddr(), me.HardwareAddr(), i)
					return 80
				}); err != nil {
					return err
				}
				me.FlushTx()
			}
			if err := receive(me, func(frame []byte) (bool, error) {
				n, err := checkFrame(frame, me.HardwareAddr(), other.HardwareAddr())
				if err == nil && n != i {
					err = fmt.Errorf("frame %d in round %d", n, i)
				}
				return true, err
			}); err != nil {
				return err
			}
			if !serve {
				if i%3 == 0 {
					runtime.Gosched()
				}
				if err := send(me, func(slot []byte) int {
					testFrame(slot[:80], other.HardwareAddr(), me.HardwareAddr(), i)
					return 80
				}); err != nil {
					return err
				}
				me.FlushTx()
			}
		}
		return nil
	}
	other := make(chan error, 1)
	go func() { other <- play(b, a, false) }()
	within(t, "ping-pong", func() error {
		if err := play(a, b, true); err != nil {
			return err
		}
		return <-other
	})
}

// Bursts of random sizes in both directions at once. The receivers keep up
// within a window, so that rings don't overrun and nothing may be missing.
func testBothWays(t *testing.T, a, b nic.Device) {
	const (
		frames = 3000
		window = 32
	)
	flow := func(from, to nic.Device, seed uint64) (out, in func() error) {
		credit := make(chan struct{}, window)
		out = func() error {
			random := rand.New(rand.NewPCG(seed, 1))
			burst := 0
			for i := range uint32(frames) {
				select {
				case credit <- struct{}{}:
				default:
					from.FlushTx()
					credit <- struct{}{}
				}
				size := 60 + random.IntN(1455)
				if err := send(from, func(slot []byte) int {
					testFrame(slot[:size], to.HardwareAddr(), from.HardwareAddr(), i)
					return size
				}); err != nil {
					return err
				}
				if burst--; burst <= 0 {
					from.FlushTx()
					burst = random.IntN(40)
				}
			}
			from.FlushTx()
			return nil
		}
		in = func() error {
			// Credit goes back when the frames have gone back, and not while
			// they still fill the ring.
			taken := 0
			for next := uint32(0); next < frames; {
				if err := to.WaitRx(); err != nil {
					return err
				}
				for taken < window {
					frame, ok := to.NextRx()
					if !ok {
						break
					}
					n, err := checkFrame(frame, to.HardwareAddr(), from.HardwareAddr())
					if err != nil {
						return err
					}
					if n != next {
						return fmt.Errorf("frame %d where %d was expected", n, next)
					}
					next++
					taken++
				}
				to.ReleaseRx()
				for ; taken > 0; taken-- {
					<-credit
				}
			}
			return nil
		}
		return out, in
	}
	outA, inB := flow(a, b, 1)
	outB, inA := flow(b, a, 2)
	errs := make(chan error, 4)
	for _, f := range []func() error{outA, inB, outB, inA} {
		go func() { errs <- f() }()
	}
	within(t, "both ways", func() error {
		for range 4 {
			if err := <-errs; err != nil {
				return err
			}
		}
		return nil
	})
}

// More frames than the receiver takes: some may be lost, those that arrive are
// whole and in order, and afterwards everything works as before.
func testOverrun(t *testing.T, a, b nic.Device) {
	const frames, last = 1500, 1 << 20
	sent := make(chan error, 1)
	go func() {
		for i := range uint32(frames) {
			if err := send(a, func(slot []byte) int {
				testFrame(slot[:128], b.HardwareAddr(), a.HardwareAddr(), i)
				return 128
			}); err != nil {
				sent <- err
				return
			}
			if i%50 == 0 {
				a.FlushTx()
			}
		}
		a.FlushTx()
		sent <- nil
	}()
	// Let the ring overflow before anything is taken, on devices that don't
	// hold the sender back.
	allSent := false
	select {
	case err := <-sent:
		if err != nil {
			t.Fatal(err)
		}
		allSent = true
	case <-time.After(200 * time.Millisecond):
	}
	// Then a last frame, repeated until it comes through.
	stop := make(chan struct{})
	stopped := make(chan error, 1)
	go func() {
		if !allSent {
			if err := <-sent; err != nil {
				stopped <- err
				return
			}
		}
		for {
			if err := send(a, func(slot []byte) int {
				testFrame(slot[:128], b.HardwareAddr(), a.HardwareAddr(), last)
				return 128
			}); err != nil {
				stopped <- err
				return
			}
			a.FlushTx()
			select {
			case <-stop:
				stopped <- nil
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	within(t, "receive after overrun", func() error {
		previous := int64(-1)
		return receive(b, func(frame []byte) (bool, error) {
			n, err := checkFrame(frame, b.HardwareAddr(), a.HardwareAddr())
			if err == nil && int64(n) <= previous {
				err = fmt.Errorf("frame %d after %d", n, previous)
			}
			previous = int64(n)
			return n == last, err
		})
	})
	close(stop)
	within(t, "the sender's end", func() error { return <-stopped })
}

// A device that offloads transmit checksums inserts the right ones.
func testTxChecksums(t *testing.T, a, b nic.Device) {
	if !a.Offloads().TxChecksum {
		t.Skip("the device doesn't offload transmit checksums")
	}
	for _, tt := range []struct {
		name  string
		proto byte
		size  int // of the transport header and payload
		v6    bool
	}{
		{"TCP", protoTCP, 20, false},
		{"TCP, odd payload", protoTCP, 20 + 333, false},
		{"UDP", protoUDP, 8 + 100, false},
		{"ICMP", protoICMP, 8 + 56, false},
		{"TCP over IPv6", protoTCP, 20 + 1000, true},
		{"UDP over IPv6", protoUDP, 8 + 31, true},
		{"ICMP over IPv6", protoICMPv6, 8 + 24, true},
		{"IGMP", 2, 8, false},
	} {
		want := ipFrame(b.HardwareAddr(), a.HardwareAddr(), tt.proto, tt.size, tt.v6)
		within(t, tt.name, func() error {
			if err := send(a, func(slot []byte) int { return copy(slot, want) }); err != nil {
				return err
			}
			a.FlushTx()
			return receive(b, func(frame []byte) (bool, error) {
				expect := bytes.Clone(want)
				InsertChecksums(expect)
				if !bytes.HasPrefix(frame, expect) {
					return true, fmt.Errorf("\ngot  %x\nwant %x", frame, expect)
				}
				return true, nil
			})
		})
	}
}

// ipFrame returns a frame with an IP packet whose checksums are zero.
func ipFrame(dst, src net.HardwareAddr, proto byte, size int, v6 bool) []byte {
	random := rand.New(rand.NewPCG(uint64(proto), uint64(size)))
	segment := make([]byte, size)
	for i := range segment {
		segment[i] = byte(random.Uint32())
	}
	switch proto {
	case protoTCP:
		segment[12] = 5 << 4
		segment[16], segment[17] = 0, 0
	case protoUDP:
		binary.BigEndian.PutUint16(segment[4:], uint16(size))
		segment[6], segment[7] = 0, 0
	case protoICMP, protoICMPv6:
		segment[2], segment[3] = 0, 0
	}
	frame := append(append([]byte{}, dst...), src...)
	if v6 {
		frame = binary.BigEndian.AppendUint16(frame, etherIPv6)
		frame = append(frame, 0x60, 0, 0, 0, byte(size>>8), byte(size), proto, 64)
		for i := range 32 {
			frame = append(frame, byte(0x20+i))
		}
	} else {
		frame = binary.BigEndian.AppendUint16(frame, etherIPv4)
		total := size + 20
		frame = append(frame, 0x45, 0, byte(total>>8), byte(total), 1, 2, 0x40, 0, 64, proto, 0, 0,
			192, 0, 2, 1, 192, 0, 2, 2)
	}
	return append(frame, segment...)
}

func testLink(t *testing.T, a, b nic.Device) {
	for _, d := range []nic.Device{a, b} {
		states := make(chan nic.LinkState, 16)
		for range 2 { // every registered function is told
			d.OnLink(func(s nic.LinkState) { states <- s })
		}
		within(t, "OnLink", func() error {
			for range 2 {
				for s := range states {
					if s.Up {
						break
					}
				}
			}
			return nil
		})
		if s := d.LinkState(); !s.Up {
			t.Errorf("OnLink said up, LinkState says %v", s)
		}
	}
}

func testCloseWakes(t *testing.T, a, b nic.Device) {
	waiting := make(chan error, 1)
	go func() {
		for {
			if err := a.WaitRx(); err != nil {
				waiting <- err
				return
			}
			for {
				if _, ok := a.NextRx(); !ok {
					break
				}
			}
			a.ReleaseRx()
		}
	}()
	time.Sleep(10 * time.Millisecond) // likely parked by now; either order must work
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	within(t, "WaitRx after Close", func() error {
		if err := <-waiting; !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("%v, want net.ErrClosed", err)
		}
		return nil
	})
}

func testUseAfterClose(t *testing.T, a, b nic.Device) {
	slot := a.TxSlot()
	within(t, "send to a", func() error {
		err := send(b, func(slot []byte) int {
			testFrame(slot[:60], a.HardwareAddr(), b.HardwareAddr(), 1)
			return 60
		})
		b.FlushTx()
		return err
	})
	within(t, "WaitRx", a.WaitRx)
	frame, ok := a.NextRx()
	if !ok {
		t.Fatal("no frame after WaitRx")
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	frame[0], slot[0] = 1, 1 // still memory
	if _, ok := a.NextRx(); ok {
		t.Error("NextRx returns a frame after Close")
	}
	a.ReleaseRx()
	if a.TxSlot() != nil {
		t.Error("TxSlot returns a slot after Close")
	}
	a.FlushTx()
	for name, wait := range map[string]func() error{"WaitRx": a.WaitRx, "WaitTx": a.WaitTx} {
		within(t, name, func() error {
			if err := wait(); !errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("%v, want net.ErrClosed", err)
			}
			return nil
		})
	}
	a.LinkState()
	if len(a.HardwareAddr()) != 6 {
		t.Error("HardwareAddr is gone after Close")
	}
}
