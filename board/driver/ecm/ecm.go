package ecm

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"

	"ingot.dev/board/driver/usbdev"
	"ingot.dev/board/nic"
	"ingot.dev/board/uio"
)

// Options of a port.
type Options struct {
	// HardwareAddr is the port's address. The host gets another one, made from it. There
	// is no place in a USB controller that a boot loader could have left one in.
	HardwareAddr net.HardwareAddr

	// Vendor and Product are the device's ids, which whoever makes the device has to have.
	Vendor, Product uint16

	// Manufacturer, Name and Serial are what the host shows: ASCII, 126 bytes at most.
	// When Serial is empty, it is the host's address.
	Manufacturer, Name, Serial string

	// RxRing and TxRing are frames: powers of two from 8; 64 and 32 when 0. A frame takes
	// 2 KB of DMA memory.
	RxRing, TxRing int

	Log *slog.Logger // slog.Default() when nil
}

// ErrNoAddress says that Options.HardwareAddr is missing or no unicast address.
var ErrNoAddress = errors.New("ecm: Options.HardwareAddr is not the address of one Ethernet port")

// Device is a port. It implements [nic.Device].
type Device struct {
	usb    *usbdev.Device
	addr   net.HardwareAddr
	log    *slog.Logger
	closed atomic.Bool
	filter filter

	rx    receiver
	tx    transmitter
	notes notes
	link  link
}

var _ nic.Device = (*Device)(nil)

// Open opens the UIO device of a name, such as "usb1", and shows itself to the host.
func Open(name string, o Options) (*Device, error) {
	hw, err := uio.Open(name)
	if err != nil {
		return nil, fmt.Errorf("ecm: %w", err)
	}
	d, err := New(hw, o)
	if err != nil {
		return nil, errors.Join(err, hw.Close())
	}
	return d, nil
}

// New makes a port of a controller. The port closes hw when it is closed; when New fails,
// hw is the caller's.
func New(hw usbdev.Hardware, o Options) (*Device, error) {
	a := slices.Clone(o.HardwareAddr)
	if len(a) != 6 || a[0]&1 != 0 || [6]byte(a) == [6]byte{} {
		return nil, fmt.Errorf("%w: %v", ErrNoAddress, a)
	}
	if o.RxRing == 0 {
		o.RxRing = 64
	}
	if o.TxRing == 0 {
		o.TxRing = 32
	}
	if o.RxRing < 8 || o.TxRing < 8 {
		return nil, fmt.Errorf("ecm: rings of %d and %d frames, want 8 or more", o.RxRing, o.TxRing)
	}
	if o.Serial == "" {
		o.Serial = macString(hostAddr(a))
	}
	d := &Device{addr: a, log: o.Log}
	if d.log == nil {
		d.log = slog.Default()
	}
	d.filter.bits.Store(everything) // until the host says more
	d.link.init()
	usb, err := usbdev.New(hw, usbdev.Config{
		Device:    deviceDescriptor(o),
		FullSpeed: configuration(64, 32),
		HighSpeed: configuration(512, 9),
		Strings:   []string{o.Manufacturer, o.Name, o.Serial, macString(hostAddr(a))},
		Pipes:     []usbdev.PipeConfig{{Address: dataIn, Slots: o.TxRing}, {Address: dataOut, Slots: o.RxRing}, {Address: notesIn, Slots: noteSlots}},
		Function:  function{d},
	})
	if err != nil {
		return nil, fmt.Errorf("ecm: %w", err)
	}
	d.usb = usb
	d.rx.pipe, d.tx.pipe, d.notes.pipe = usb.Pipe(dataOut), usb.Pipe(dataIn), usb.Pipe(notesIn)
	d.tx.lengths = make([]int, o.TxRing)
	d.rx.pipe.Receive(d.rx.pipe.Slots())
	usb.Start()
	d.link.running.Go(d.linkMonitor)
	return d, nil
}

// HardwareAddr implements [nic.Device].
func (d *Device) HardwareAddr() net.HardwareAddr { return slices.Clone(d.addr) }

// MTU implements [nic.Device].
func (d *Device) MTU() int { return nic.MTU }

// Offloads implements [nic.Device]: there are none.
func (d *Device) Offloads() nic.Offloads { return nic.Offloads{} }

// Close implements [nic.Device].
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	err := d.usb.Close()
	d.link.running.Wait()
	return err
}

// wait waits for something about a pipe.
func (d *Device) wait(p *usbdev.Pipe) error {
	select {
	case <-p.Wake():
		return nil
	case <-d.usb.Done():
		return d.usb.Err()
	}
}

// Stats counts frames.
type Stats struct {
	Filtered uint64 // that the host doesn't want
	Dropped  uint64 // sent without a link
	Bad      uint64 // received too short, too long, or with an error
}

// Stats returns the counts so far.
func (d *Device) Stats() Stats {
	dropped, _ := d.tx.pipe.Dropped()
	return Stats{Filtered: d.tx.filtered.Load(), Dropped: dropped, Bad: d.rx.bad.Load()}
}

// function is what the host's requests lead to.
type function struct{ d *Device }

func (f function) Request(s usbdev.Setup, data []byte) ([]byte, bool) { return f.d.filter.request(s) }

func (f function) Changed(s usbdev.State) {
	if s.Configuration == 0 { // another host may have come
		f.d.filter.bits.Store(everything)
	}
	f.d.link.changed(s)
}
