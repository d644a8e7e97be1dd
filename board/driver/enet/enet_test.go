package enet_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/board/driver/enet"
	"ingot.dev/board/driver/enet/enetmodel"
	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
)

var (
	addrA = net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	addrB = net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x57}
	quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
)

// hardwarePHY is the KSZ8081 of the EVK: it says that this isn't QEMU.
const hardwarePHY = 0x00221560

const patience = time.Minute

// newModel returns a model whose complaints fail the test.
func newModel(t testing.TB, o enetmodel.Options) *enetmodel.Model {
	o.Report = func(mistake string) { t.Errorf("the model says: %s", mistake) }
	if o.HardwareAddr == nil {
		o.HardwareAddr = addrA
	}
	return enetmodel.New(o)
}

func open(t testing.TB, m *enetmodel.Model, o enet.Options) *enet.Driver {
	t.Helper()
	if o.Log == nil {
		o.Log = quiet
	}
	if o.LinkInterval == 0 {
		o.LinkInterval = 5 * time.Millisecond
	}
	d, err := enet.New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// single returns a driver on a model without a wire.
func single(t testing.TB, o enetmodel.Options) (*enet.Driver, *enetmodel.Model) {
	t.Helper()
	m := newModel(t, o)
	return open(t, m, enet.Options{}), m
}

// frame returns a frame of the given size that is known by its number.
func frame(size int, number uint32) []byte {
	f := make([]byte, size)
	copy(f, addrA)
	copy(f[6:], addrB)
	binary.BigEndian.PutUint16(f[12:], 0x88b5)
	binary.BigEndian.PutUint32(f[14:], number)
	for i := 18; i < size; i++ {
		f[i] = byte(number)*3 + byte(i)
	}
	return f
}

// expect takes the next frames and compares them.
func expect(t *testing.T, d *enet.Driver, want ...[]byte) {
	t.Helper()
	for i, w := range want {
		got, ok := d.NextRx()
		if !ok {
			t.Fatalf("frame %d of %d is missing", i, len(want))
		}
		if !bytes.Equal(got, w) {
			t.Fatalf("frame %d:\ngot  %x\nwant %x", i, got, w)
		}
	}
	if got, ok := d.NextRx(); ok {
		t.Fatalf("another frame: %x", got)
	}
	d.ReleaseRx()
}

// within returns what f does, or fails when it takes too long.
func within(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatalf("%s: not done after %v", what, patience)
		return nil
	}
}

// eventually waits until f holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

func TestCompliance(t *testing.T) {
	for name, o := range map[string]enetmodel.Options{
		"as QEMU":          {},
		"as hardware":      {Async: true, DropWhenFull: true, AllChecksums: true, PHYID: hardwarePHY},
		"asynchronous":     {Async: true},
		"synchronous drop": {DropWhenFull: true},
		"little memory":    {DMASize: 200 << 10, Async: true},
	} {
		t.Run(name, func(t *testing.T) {
			nictest.Run(t, func(t *testing.T) (a, b nic.Device) {
				oa, ob := o, o
				oa.HardwareAddr, ob.HardwareAddr = addrA, addrB
				ma, mb := newModel(t, oa), newModel(t, ob)
				enetmodel.Connect(ma, mb)
				return open(t, ma, enet.Options{}), open(t, mb, enet.Options{})
			})
		})
	}
}

func TestHardwareAddr(t *testing.T) {
	for _, tt := range []struct {
		name        string
		inside      net.HardwareAddr
		option      net.HardwareAddr
		want        net.HardwareAddr
		wantErr     error
		wantAnyFail bool
		find        func() (net.HardwareAddr, error)
	}{
		{name: "the controller's", inside: addrA, want: addrA},
		{name: "the option's", inside: addrA, option: addrB, want: addrB},
		{name: "option alone", inside: make([]byte, 6), option: addrB, want: addrB},
		{name: "found elsewhere", inside: make([]byte, 6), find: func() (net.HardwareAddr, error) { return addrB, nil }, want: addrB},
		{name: "not looked for", inside: addrA, find: func() (net.HardwareAddr, error) { return addrB, nil }, want: addrA},
		{name: "not found", inside: make([]byte, 6), find: func() (net.HardwareAddr, error) { return nil, io.EOF }, wantErr: enet.ErrNoAddress},
		{name: "a group's found", inside: make([]byte, 6), find: func() (net.HardwareAddr, error) { return net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}, nil }, wantAnyFail: true},
		{name: "none", inside: make([]byte, 6), wantErr: enet.ErrNoAddress},
		{name: "multicast", inside: net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}, wantAnyFail: true},
		{name: "zero option", inside: addrA, option: make([]byte, 6), wantAnyFail: true},
		{name: "EUI-64", inside: addrA, option: make([]byte, 8), wantAnyFail: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(t, enetmodel.Options{HardwareAddr: tt.inside})
			d, err := enet.New(m, enet.Options{HardwareAddr: tt.option, FindAddr: tt.find, Log: quiet})
			if tt.wantErr != nil || tt.wantAnyFail {
				if err == nil {
					d.Close()
					t.Fatal("no error")
				}
				if tt.wantErr != nil && !errors.Is(err, tt.wantErr) {
					t.Fatalf("%v, want %v", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if got := d.HardwareAddr(); !bytes.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
			// The controller must filter by the same one.
			w := tt.want
			if m.Read32(0xe4) != binary.BigEndian.Uint32(w) || m.Read32(0xe8)>>16 != uint32(binary.BigEndian.Uint16(w[4:])) {
				t.Error("PALR and PAUR have another address")
			}
		})
	}
}

func TestBadMemory(t *testing.T) {
	for _, tt := range []struct {
		size int
		o    enet.Options
		want string
	}{
		{size: 4096, want: "4096 bytes of DMA memory"},
		{size: 512 << 10, o: enet.Options{RxRing: 100}, want: "RxRing is 100"},
		{size: 512 << 10, o: enet.Options{TxRing: 4}, want: "TxRing is 4"},
		{size: 64 << 10, o: enet.Options{RxRing: 64}, want: "rings of 64 and 8"},
	} {
		tt.o.Log = quiet
		_, err := enet.New(newModel(t, enetmodel.Options{DMASize: tt.size}), tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d bytes, %+v: %v, want %q", tt.size, tt.o, err, tt.want)
		}
	}
}

// A large send of 62,000 bytes is 43 segments, and 43 acknowledgements come back
// while it is being sent: it must fit at once, with one doorbell.
func TestBurstWithAcknowledgements(t *testing.T) {
	ma, mb := newModel(t, enetmodel.Options{DropWhenFull: true}), newModel(t, enetmodel.Options{HardwareAddr: addrB, DropWhenFull: true})
	enetmodel.Connect(ma, mb)
	a, b := open(t, ma, enet.Options{LinkInterval: time.Hour}), open(t, mb, enet.Options{LinkInterval: time.Hour})
	const segments = 43
	for round := range 20 {
		before := ma.Stats()
		for i := range segments {
			slot := a.TxSlot()
			if slot == nil {
				t.Fatalf("round %d: no slot for segment %d", round, i)
			}
			a.CommitTx(copy(slot, frame(1514, uint32(i))))
		}
		a.FlushTx()
		if writes := ma.Stats().RegisterWrites - before.RegisterWrites; writes != 1 {
			t.Fatalf("%d register writes for a burst, want 1", writes)
		}
		for i := range segments {
			if got, ok := b.NextRx(); !ok || !bytes.Equal(got, frame(1514, uint32(i))) {
				t.Fatalf("round %d: segment %d: %x", round, i, got)
			}
			slot := b.TxSlot()
			b.CommitTx(copy(slot, frame(60, uint32(i))))
		}
		b.FlushTx()
		b.ReleaseRx()
		for i := range segments {
			if got, ok := a.NextRx(); !ok || !bytes.Equal(got, frame(60, uint32(i))) {
				t.Fatalf("round %d: acknowledgement %d: %x", round, i, got)
			}
		}
		a.ReleaseRx()
	}
}

// What costs time is counted: register accesses, and allocations.
func TestThrift(t *testing.T) {
	m := newModel(t, enetmodel.Options{})
	d := open(t, m, enet.Options{LinkInterval: time.Hour})
	m.OnSend(func([]byte) {})
	in := frame(1514, 1)
	const frames = 32
	before := m.Stats()
	for range frames {
		m.Inject(in)
	}
	if err := d.WaitRx(); err != nil {
		t.Fatal(err)
	}
	got := 0
	for {
		if _, ok := d.NextRx(); !ok {
			break
		}
		got++
		d.TxSlot()
		d.CommitTx(1514)
	}
	d.ReleaseRx()
	d.FlushTx()
	after := m.Stats()
	if got != frames {
		t.Fatalf("%d frames, want %d", got, frames)
	}
	// RDAR; TDAR read and written.
	if w, r := after.RegisterWrites-before.RegisterWrites, after.RegisterReads-before.RegisterReads; w != 2 || r != 1 {
		t.Errorf("%d register writes and %d reads for a batch, want 2 and 1", w, r)
	}
	if n := after.Waits - before.Waits; n != 0 {
		t.Errorf("%d waits for the interrupt with frames there", n)
	}
}

func TestBadFramesAreDropped(t *testing.T) {
	const last = 1 << 27
	good := func(n uint32) []byte { return frame(100, n) }
	for _, tt := range []struct {
		name   string
		length uint16
		status uint32
		count  func(s enet.Stats) uint64
	}{
		{"wrong FCS", 104, last | 1<<18, func(s enet.Stats) uint64 { return s.Rx.CRC }},
		{"overrun", 104, last | 1<<17, func(s enet.Stats) uint64 { return s.Rx.Overrun }},
		{"overrun, other bits undefined", 104, last | 1<<17 | 1<<18 | 1<<20, func(s enet.Stats) uint64 { return s.Rx.Overrun }},
		{"odd bits", 104, last | 1<<20, func(s enet.Stats) uint64 { return s.Rx.Alignment }},
		{"too long", 1523, last | 1<<21, func(s enet.Stats) uint64 { return s.Rx.TooLong }},
		{"truncated", 2047, last | 1<<16 | 1<<21, func(s enet.Stats) uint64 { return s.Rx.Truncated }},
		{"empty", 0, last, func(s enet.Stats) uint64 { return s.Rx.Length }},
		{"FCS alone", 4, last, func(s enet.Stats) uint64 { return s.Rx.Length }},
		{"a byte less than a header", 17, last, func(s enet.Stats) uint64 { return s.Rx.Length }},
		{"longer than the MTU", 1523, last, func(s enet.Stats) uint64 { return s.Rx.Length }},
		{"longer than the buffer", 0xffff, last, func(s enet.Stats) uint64 { return s.Rx.Length }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, m := single(t, enetmodel.Options{})
			// Between good ones, several times around the ring.
			for i := range uint32(100) {
				m.Inject(good(i))
				if !m.InjectRaw(good(i), tt.length, tt.status) {
					t.Fatal("no descriptor for the bad frame")
				}
				m.Inject(good(i + 1))
				expect(t, d, good(i), good(i+1))
			}
			if n := tt.count(d.Stats()); n != 100 {
				t.Errorf("counted %d of 100: %+v", n, d.Stats())
			}
			// Alone, with nobody to release them: they mustn't fill the ring.
			for range 1000 {
				if !m.InjectRaw(good(0), tt.length, tt.status) {
					t.Fatal("bad frames fill the ring")
				}
				if got, ok := d.NextRx(); ok {
					t.Fatalf("a bad frame: %x", got)
				}
			}
			m.Inject(good(7))
			expect(t, d, good(7))
		})
	}
}

// A frame in several descriptors can't be, with buffers this long, and all its
// parts go.
func TestSplitFrames(t *testing.T) {
	d, m := single(t, enetmodel.Options{})
	m.InjectRaw(frame(1000, 1), 1000, 0)
	m.InjectRaw(frame(1000, 1), 1000, 0)
	m.InjectRaw(frame(100, 1), 104, 1<<27)
	m.Inject(frame(100, 2))
	expect(t, d, frame(100, 2))
	if n := d.Stats().Rx.Split; n != 3 {
		t.Errorf("counted %d parts, want 3", n)
	}
}

// Bad frames behind frames that the receiver holds go back with those.
func TestBadFramesBehindHeldOnes(t *testing.T) {
	d, m := single(t, enetmodel.Options{DMASize: 64 << 10})
	for lap := range uint32(50) {
		m.Inject(frame(100, lap))
		got, ok := d.NextRx()
		if !ok {
			t.Fatal("no frame")
		}
		m.InjectRaw(nil, 104, 1<<27|1<<18)
		if _, ok := d.NextRx(); ok {
			t.Fatal("a bad frame")
		}
		m.Inject(frame(100, lap+1))
		next, ok := d.NextRx()
		if !ok || !bytes.Equal(got, frame(100, lap)) || !bytes.Equal(next, frame(100, lap+1)) {
			t.Fatalf("lap %d: %x and %x", lap, got, next)
		}
		d.ReleaseRx()
	}
}

func TestRxChecksums(t *testing.T) {
	d, m := single(t, enetmodel.Options{})
	packet := append(frame(60, 0)[:12:12], 8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 255, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	bad := bytes.Clone(packet)
	nictest.InsertChecksums(packet)
	m.Inject(bad)
	m.Inject(packet)
	expect(t, d, packet)
}

// A transmitter that waits for a controller that stands still, alone and beside
// a receiver, is woken when it goes on.
func TestWaitTx(t *testing.T) {
	for name, order := range map[string][]string{
		"alone":       {"tx"},
		"tx, then rx": {"tx", "rx"},
		"rx, then tx": {"rx", "tx"},
	} {
		for _, async := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				d, m := single(t, enetmodel.Options{Async: async})
				m.OnSend(func([]byte) {})
				for round := range uint32(20) {
					m.Pause(true)
					for slot := d.TxSlot(); slot != nil; slot = d.TxSlot() {
						d.CommitTx(copy(slot, frame(60, 1)))
					}
					woken := map[string]chan error{"tx": make(chan error, 1), "rx": make(chan error, 1)}
					for _, side := range order {
						go func() {
							if side == "tx" {
								woken[side] <- d.WaitTx()
							} else {
								woken[side] <- d.WaitRx()
							}
						}()
						time.Sleep(time.Millisecond) // likely parked
					}
					select {
					case err := <-woken["tx"]:
						t.Fatalf("WaitTx returned %v while the ring is full", err)
					case err := <-woken["rx"]:
						t.Fatalf("WaitRx returned %v without a frame", err)
					default:
					}
					sides := []string{"tx", "rx"}
					if round%2 == 0 {
						sides = []string{"rx", "tx"}
					}
					for _, side := range sides {
						if side == "tx" {
							m.Pause(false)
						} else {
							m.Inject(frame(100, round))
						}
						if len(order) == 1 && side == "rx" {
							expect(t, d, frame(100, round))
							continue
						}
						if err := within(t, side, func() error { return <-woken[side] }); err != nil {
							t.Fatal(err)
						}
						if side == "rx" {
							expect(t, d, frame(100, round))
						}
					}
				}
			})
		}
	}
}

func TestBusErrorRestarts(t *testing.T) {
	d, m := single(t, enetmodel.Options{})
	m.Raise(1<<22 | 1<<21)
	eventually(t, "restart", func() bool { return d.Stats().Errors.Restarts == 1 })
	if s := d.Stats().Errors; s.Bus != 1 || s.Transmit != 1 {
		t.Errorf("%+v", s)
	}
	m.Inject(frame(100, 1))
	if err := d.WaitRx(); err != nil {
		t.Fatal(err)
	}
	expect(t, d, frame(100, 1))
}

// deaf is a controller whose interrupts nobody hears of.
type deaf struct {
	*enetmodel.Model
	waits atomic.Bool
	woken chan struct{}
}

func (d *deaf) UnmaskWait() error {
	d.waits.Store(true)
	<-d.woken
	return nil
}

func (d *deaf) Wake() {
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

func (d *deaf) Close() error {
	defer close(d.woken)
	return d.Model.Close()
}

// PeekRx shows what has arrived, and wakes who waits for a frame that is wanted, whether
// or not its interrupt is heard.
func TestPeekRx(t *testing.T) {
	for name, waiting := range map[string]bool{"waiting": true, "not waiting": false} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, enetmodel.Options{})
			hw := &deaf{Model: m, woken: make(chan struct{}, 1)}
			d, err := enet.New(hw, enet.Options{Log: quiet})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			var seen []int
			long := func(f []byte) bool {
				seen = append(seen, len(f))
				return len(f) > 100
			}
			if d.PeekRx(long) || len(seen) > 0 {
				t.Fatalf("of an empty ring it shows %v", seen)
			}
			woken := make(chan error, 1)
			wait := func() { woken <- d.WaitRx() }
			if waiting {
				go wait()
				eventually(t, "the wait", hw.waits.Load)
			}
			m.Inject(frame(60, 1))
			m.Inject(frame(70, 2))
			if d.PeekRx(long) {
				t.Error("a frame is wanted that isn't there")
			}
			m.Inject(frame(200, 3))
			m.Inject(frame(80, 4))
			if !d.PeekRx(long) {
				t.Error("a wanted frame isn't found")
			}
			if want := []int{60, 70, 60, 70, 200}; !slices.Equal(seen, want) {
				t.Errorf("it shows %v, want %v", seen, want)
			}
			if !waiting {
				go wait()
			}
			if err := within(t, "WaitRx", func() error { return <-woken }); err != nil {
				t.Fatal(err)
			}
			// All are still to come, and none is shown that NextRx has been at.
			if f, ok := d.NextRx(); !ok || !bytes.Equal(f, frame(60, 1)) {
				t.Errorf("the first frame: %v, %x", ok, f)
			}
			seen = nil
			if d.PeekRx(long) {
				t.Errorf("%v are shown again", seen)
			}
			expect(t, d, frame(70, 2), frame(200, 3), frame(80, 4))
			d.ReleaseRx()
			if err := d.Close(); err != nil || d.PeekRx(func([]byte) bool { return true }) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}
