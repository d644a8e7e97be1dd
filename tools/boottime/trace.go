package boottime

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"ingot.dev/internal/gdbremote"
	"ingot.dev/qemu"
)

// Options says what to boot.
type Options struct {
	// Image is an ELF file with symbols.
	Image string
	// Board is a name from package boards; empty: boards.Default.
	Board string

	// Port is where the firmware serves TLS once it has printed Ready, and TLS
	// verifies it.
	Port  int
	Ready *regexp.Regexp
	TLS   *tls.Config
}

// limit is how long a boot may take, with somebody who stops it at every step.
const limit = 5 * time.Minute

// beginnings are the functions that steps begin with, in no order: what a boot does not
// come to is not in its timeline, so a function that has gone is noticed by tests, and
// not by who looks for the time of another.
var beginnings = []struct{ function, step string }{
	{"_rt0_arm_linux", "runtime: start"},
	{"runtime.schedinit", "runtime: memory, GC, scheduler"},
	{"runtime.main", "runtime: first goroutine"},
	{"main.main", "settings"},
	{"ingot.dev/firmware.(*System).loadCerts", "clock"},
	{"ingot.dev/certs.Load", "certificates"},
	{"ingot.dev/board/devices.Ethernet", "Ethernet controller"},
	{"ingot.dev/firmware.(*System).openStack", "netstack, link"},
	{"ingot.dev/net/dhcp4.(*client).acquire", "DHCP"},
	{"ingot.dev/board/devices.OpenWatchdog", "watchdog"},
	{"ingot.dev/firmware.(*System).Listen", "listen, and a client that comes"},
	{"crypto/tls.(*Conn).serverHandshake", "first handshake"},
}

const (
	firstStep  = "kernel"
	initialize = "runtime.doInit1" // of one package
	handshake  = "crypto/tls.(*Conn).serverHandshake"
)

// A tracer is a boot under way.
type tracer struct {
	gdb   *gdbremote.Client
	image *image
}

// Trace boots an image and returns what it did until the first handshake was over.
func Trace(ctx context.Context, opt Options) (*Timeline, error) {
	ctx, stop := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no handshake within %v", limit))
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	im, err := readImage(opt.Image)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ingot-boottime-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	m, err := qemu.Start(ctx, qemu.Config{
		Image: opt.Image, Board: opt.Board, Debugger: true,
		// Recording, QEMU tells how many instructions were executed.
		ICount:   "shift=0,rr=record,rrfile=" + filepath.Join(dir, "record"),
		Forwards: []qemu.Forward{{GuestPort: opt.Port}},
	})
	if err != nil {
		return nil, err
	}
	defer m.Stop()
	gdb, err := gdbremote.Dial(m.DebuggerAddr(), limit)
	if err != nil {
		return nil, err
	}
	defer gdb.Close()
	defer context.AfterFunc(ctx, func() { gdb.Close() })()

	client := make(chan error, 1)
	go func() {
		err := shakeHands(ctx, m, opt)
		if err != nil {
			cancel(err) // what the tracer waits for will not come
		}
		client <- err
	}()
	t := &tracer{gdb: gdb, image: im}
	line, err := t.run()
	if err == nil {
		_, err = gdb.Command("D") // the handshake's last message is still to go out
	}
	if err == nil {
		err = <-client
	} else if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		cancel(err)
		return nil, fmt.Errorf("boot of %s: %w; %s", opt.Image, err, m.ConsoleTail())
	}
	return line, nil
}

// shakeHands is the client.
func shakeHands(ctx context.Context, m *qemu.Machine, opt Options) error {
	if _, err := m.WaitConsole(ctx, opt.Ready); err != nil {
		return err
	}
	raw, err := m.DialForward(ctx, opt.Port)
	if err != nil {
		return err
	}
	defer raw.Close()
	return tls.Client(raw, opt.TLS).HandshakeContext(ctx)
}

// run lets the machine go from one beginning to the next.
func (t *tracer) run() (*Timeline, error) {
	steps := make(map[uint32]string)
	for _, b := range beginnings {
		at, ok := t.image.functions[b.function]
		if !ok {
			return nil, fmt.Errorf("there is no function %s", b.function)
		}
		steps[at] = b.step
	}
	initialization, ok := t.image.functions[initialize]
	if !ok {
		return nil, fmt.Errorf("there is no function %s", initialize)
	}
	steps[initialization] = Initialization
	for at := range steps {
		if err := t.breakAt(at, true); err != nil {
			return nil, err
		}
	}
	line := &Timeline{Steps: []Step{{Name: firstStep}}}
	var end uint32 // of the handshake
	for {
		if _, err := t.gdb.Command("c"); err != nil {
			return nil, err
		}
		pc, err := t.gdb.Register(15)
		if err != nil {
			return nil, err
		}
		now, err := t.now()
		if err != nil {
			return nil, err
		}
		last := &line.Steps[len(line.Steps)-1]
		if n := len(line.Packages); n > 0 && line.Packages[n-1].To == 0 {
			line.Packages[n-1].To = now
		}
		last.To = now
		if pc == end {
			return line, nil
		}
		step, ok := steps[pc]
		if !ok {
			return nil, fmt.Errorf("it stopped at %#x, where nothing begins", pc)
		}
		if pc == initialization {
			name, err := t.initialized()
			if err != nil {
				return nil, err
			}
			line.Packages = append(line.Packages, Step{Name: name, From: now})
			if last.Name != Initialization {
				line.Steps = append(line.Steps, Step{Name: step, From: now, To: now})
			}
			if err := t.stepOver(pc); err != nil {
				return nil, err
			}
			continue
		}
		line.Steps = append(line.Steps, Step{Name: step, From: now, To: now})
		if err := t.breakAt(pc, false); err != nil { // the first time counts
			return nil, err
		}
		if pc == t.image.functions[handshake] {
			if end, err = t.gdb.Register(14); err != nil {
				return nil, err
			}
			if err := t.breakAt(end, true); err != nil {
				return nil, err
			}
		}
	}
}

func (t *tracer) breakAt(address uint32, set bool) error {
	command := "z1"
	if set {
		command = "Z1"
	}
	return t.order(fmt.Sprintf("%s,%x,4", command, address))
}

// stepOver gets the machine off an instruction that it would otherwise stop at again.
func (t *tracer) stepOver(pc uint32) error {
	if err := t.breakAt(pc, false); err != nil {
		return err
	}
	// An instruction that faults, or is interrupted, is still to come after its step.
	for now := pc; now == pc; {
		if _, err := t.gdb.Command("s"); err != nil {
			return err
		}
		var err error
		if now, err = t.gdb.Register(15); err != nil {
			return err
		}
	}
	return t.breakAt(pc, true)
}

// initialized returns the package that is about to be initialized: the argument, which is on
// the stack.
func (t *tracer) initialized() (string, error) {
	sp, err := t.gdb.Register(13)
	if err != nil {
		return "", err
	}
	task, err := t.word(sp + 4)
	if err != nil {
		return "", err
	}
	name, ok := t.image.packages[task]
	if !ok {
		return "", fmt.Errorf("no package is initialized by %#x", task)
	}
	return name, nil
}

// now returns how many instructions were executed. The machine's clock would not do: it
// moves while the machine is stopped and let go again.
func (t *tracer) now() (uint64, error) {
	text, err := t.gdb.Monitor("info replay")
	if err != nil {
		return 0, err
	}
	m := instructionCount.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("QEMU's 'info replay' has no instruction count: %q", text)
	}
	return strconv.ParseUint(m[1], 10, 64)
}

var instructionCount = regexp.MustCompile(`instruction count = (\d+)`)

func (t *tracer) word(at uint32) (uint32, error) {
	answer, err := t.gdb.Command(fmt.Sprintf("m%x,4", at))
	if err != nil {
		return 0, err
	}
	b, err := hex.DecodeString(answer)
	if err != nil || len(b) != 4 {
		return 0, fmt.Errorf("reading %#x: %q", at, answer)
	}
	return binary.LittleEndian.Uint32(b), nil
}

// order is a command that is answered with "OK".
func (t *tracer) order(command string) error {
	answer, err := t.gdb.Command(command)
	if err == nil && answer != "OK" {
		err = fmt.Errorf("gdb remote command %q: answer %q", command, answer)
	}
	return err
}
