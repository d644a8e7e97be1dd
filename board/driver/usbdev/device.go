package usbdev

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"ingot.dev/board/uio"
)

// Hardware is what the driver needs of a controller. [*uio.Device] is one; so is the model
// that tests use. See package enet's for what the methods promise.
type Hardware interface {
	Read32(off uint32) uint32
	Write32(off uint32, v uint32)
	DMA() (mem []byte, phys uint32)
	UnmaskWait() error
	Wake()
	Close() error
}

var _ Hardware = (*uio.Device)(nil)

// A Function is what the device does: a class. Its methods are called from one goroutine,
// and must not block.
type Function interface {
	// Request answers a class request. With data from the host (s.In is false), they are
	// data; an answer is cut to s.Length. Not ok stalls the request.
	Request(s Setup, data []byte) (answer []byte, ok bool)

	// Changed is told what the host has made of the device, also when a setting was
	// chosen again. It may use pipes.
	Changed(State)
}

// A PipeConfig says how long a pipe's ring is: a power of two, 2 or more.
type PipeConfig struct {
	Address byte // as in the endpoint descriptor
	Slots   int
}

// Config describes a device.
type Config struct {
	Device    []byte       // the device descriptor; packets of endpoint 0 have 64 bytes
	FullSpeed []byte       // the configuration descriptor with all that belongs to it
	HighSpeed []byte       // the same at high speed: only packet sizes and intervals differ
	Strings   []string     // ASCII, 126 bytes at most; the first has index 1
	Pipes     []PipeConfig // one for each endpoint address of the descriptors
	Function  Function
}

// Device is a controller with what it is as a USB device.
type Device struct {
	hw     Hardware
	config Config
	full   configuration
	high   configuration

	heads   []head
	ep0     []transfer // IN, the packet behind it, OUT
	ep0Phys uint32
	in, out []byte // of endpoint 0
	inPhys  uint32
	outPhys uint32
	pipes   []*Pipe

	// The controller goroutine's.
	state   State
	changed bool
	stage   stage
	setup   Setup

	mu      sync.Mutex
	stopped bool
	broken  error
	done    chan struct{}
	running sync.WaitGroup
}

// Open opens the UIO device of a name, such as "usb1". Nothing happens on the bus until
// Start.
func Open(name string, c Config) (*Device, error) {
	hw, err := uio.Open(name)
	if err != nil {
		return nil, fmt.Errorf("usbdev: %w", err)
	}
	d, err := New(hw, c)
	if err != nil {
		return nil, errors.Join(err, hw.Close())
	}
	return d, nil
}

// New prepares a controller. The device closes hw when it is closed; when New fails, hw is
// the caller's.
func New(hw Hardware, c Config) (*Device, error) {
	d := &Device{hw: hw, config: c, done: make(chan struct{})}
	if err := d.init(); err != nil {
		return nil, fmt.Errorf("usbdev: %w", err)
	}
	return d, nil
}

func (d *Device) init() (err error) {
	c := d.config
	if len(c.Device) != 18 || c.Device[0] != 18 || c.Device[1] != DescDevice || c.Device[7] != 64 || c.Device[17] != 1 {
		return errors.New("the device descriptor is wrong")
	}
	for _, s := range c.Strings {
		if len(s) > 126 {
			return fmt.Errorf("the string %.20q... is longer than 126 bytes", s)
		}
	}
	if d.full, err = parse(c.FullSpeed); err != nil {
		return err
	}
	if d.high, err = parse(c.HighSpeed); err != nil {
		return err
	}
	if d.full.value != d.high.value || !slices.Equal(d.full.alts, d.high.alts) {
		return errors.New("the configurations of the two speeds differ in their interfaces")
	}
	m := &memory{}
	m.mem, m.phys = d.hw.DMA()
	if err := m.check(); err != nil {
		return err
	}
	var list uint32
	if d.heads, list, err = m.heads(); err != nil {
		return err
	}
	if d.ep0, d.ep0Phys, err = m.transfers(3); err != nil {
		return err
	}
	if d.in, d.inPhys, err = m.take(controlSize, 64); err != nil {
		return err
	}
	if d.out, d.outPhys, err = m.take(controlSize, 64); err != nil {
		return err
	}
	for _, pc := range c.Pipes {
		if pc.Slots < 2 || pc.Slots&(pc.Slots-1) != 0 {
			return fmt.Errorf("the pipe at %#x has %d slots, not a power of two from 2", pc.Address, pc.Slots)
		}
		p := &Pipe{d: d, address: pc.Address, mask: uint32(pc.Slots - 1), wake: make(chan struct{}, 1), lengths: make([]int, pc.Slots)}
		if p.ring, p.phys, err = m.transfers(2 * pc.Slots); err != nil {
			return err
		}
		if p.buffers, p.bytes, err = m.take(pc.Slots*BufferSize, BufferSize); err != nil {
			return err
		}
		d.pipes = append(d.pipes, p)
	}
	for _, e := range append(slices.Clone(d.full.endpoints), d.high.endpoints...) {
		if d.pipe(e.address) == nil {
			return fmt.Errorf("endpoint %#x has no pipe", e.address)
		}
	}
	return d.reset(list)
}

// reset makes a device controller of it: IMX6ULRM, "Device Controller Initialization". What
// a loader has left primed is flushed first, as Linux does (drivers/usb/chipidea/core.c,
// hw_device_reset).
func (d *Device) reset(list uint32) error {
	hw := d.hw
	hw.Write32(endptflush, ^uint32(0))
	hw.Write32(usbcmd, 0)
	hw.Write32(usbcmd, cmdRST)
	if !d.poll(usbcmd, cmdRST) {
		return errors.New("the controller doesn't come out of its reset; is its clock on?")
	}
	hw.Write32(usbmode, modeDevice|modeSLOM|modeSDIS)
	if mode := hw.Read32(usbmode); mode&modeCM != modeDevice {
		return fmt.Errorf("the controller doesn't take its device mode: USBMODE is %#x", mode)
	}
	for i := range d.heads {
		d.heads[i] = head{next: terminate}
	}
	for i := range 2 { // endpoint 0
		d.heads[i].info = infoZLT | infoIOS | 64<<infoMax
	}
	hw.Write32(endptlistaddr, list)
	hw.Write32(otgsc, otgOT)
	hw.Write32(usbsts, interrupts)
	hw.Write32(usbintr, interrupts)
	return nil
}

// Start shows the device to the host.
func (d *Device) Start() {
	d.running.Go(d.controller)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hw.Write32(usbcmd, cmdRS)
}

// Pipe returns the pipe of an endpoint's address; nil if there is none.
func (d *Device) Pipe(address byte) *Pipe { return d.pipe(address) }

// Done is closed when the device no longer works.
func (d *Device) Done() <-chan struct{} { return d.done }

// Err says why: net.ErrClosed after Close.
func (d *Device) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken == nil && d.stopped {
		return net.ErrClosed
	}
	return d.broken
}

// Close takes the device off the bus. It must not be called by a Function.
func (d *Device) Close() error {
	d.mu.Lock()
	if d.stopped {
		d.mu.Unlock()
		return nil
	}
	d.stopped = true
	d.hw.Write32(usbintr, 0)
	d.hw.Write32(usbcmd, 0) // the pull-up goes, DMA stops
	d.mu.Unlock()
	err := d.hw.Close()
	d.running.Wait()
	d.end(nil)
	return err
}

func (d *Device) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.done:
		return
	default:
	}
	d.broken = err
	close(d.done)
}

// poll waits until the bits of a register are 0. It is for what takes microseconds.
func (d *Device) poll(reg, bits uint32) bool {
	deadline := time.Now().Add(100 * time.Millisecond)
	for i := 0; d.hw.Read32(reg)&bits != 0; i++ {
		if i < 100 {
			continue
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Microsecond)
	}
	return true
}

// flush takes endpoints away from the controller: IMX6ULRM, "Flushing/Depriming an
// Endpoint". A packet under way is finished first, so it may take a few tries.
func (d *Device) flush(bits uint32) {
	for range 4 {
		d.hw.Write32(endptflush, bits)
		if !d.poll(endptflush, bits) || d.hw.Read32(endptstat)&bits == 0 {
			return
		}
	}
}

// enable writes a pipe's half of ENDPTCTRL. The half of a pipe that isn't there must not
// say "control": IMX6ULRM, ENDPTCTRLn.
//
// Preconditions: d.mu is held.
func (d *Device) enable(p *Pipe, half uint32) {
	reg := endptctrl + 4*uint32(p.number())
	v := d.hw.Read32(reg)&^(0xffff<<p.shift()) | half<<p.shift()
	for _, shift := range []int{0, 16} {
		if v>>shift&ctrlEnable == 0 {
			v = v&^(0xffff<<shift) | 2<<ctrlType<<shift
		}
	}
	d.hw.Write32(reg, v)
}

// halt stalls a pipe, or lets it go on with a packet DATA0.
func (d *Device) halt(p *Pipe, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	reg := endptctrl + 4*uint32(p.number())
	v := d.hw.Read32(reg)
	if on {
		v |= ctrlStall << p.shift()
	} else {
		v = v&^(ctrlStall<<p.shift()) | ctrlToggle<<p.shift()
	}
	d.hw.Write32(reg, v)
}

func (d *Device) closePipes() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.pipes {
		p.stop()
	}
}
