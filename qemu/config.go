package qemu

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"ingot.dev/board/boards"
	"ingot.dev/kernel/bootparam"
)

// HostAddress is where a machine's network has the host: what listens on the host's
// loopback interface is there.
const HostAddress = "10.0.2.2"

// ICountDeterministic makes one instruction take one nanosecond of virtual
// time and idle time pass at once: timing becomes exact and repeatable,
// whatever else the host is doing. For Config.ICount.
const ICountDeterministic = "shift=0,sleep=off"

// Config says what to start. Only Image is required.
type Config struct {
	// Image is the path of the ELF file to boot.
	Image string

	// Raw says that Image is no ELF file but bytes as they lie in RAM, and where.
	Raw *Raw

	// Board is a name from package boards. Empty: boards.Default.
	Board string

	// Network gives the machine an Ethernet link to QEMU's user-mode
	// network, on which the host is HostAddress. Forwards imply it.
	Network bool

	// Forwards lists TCP ports of the guest to be reached from the host.
	Forwards []Forward

	// Address is the fixed IPv4 address that the guest has, with the length of its
	// network's prefix: the user-mode network is that one, instead of 10.0.2.0/24, and the
	// host is in it at Gateway or, if that is the zero Addr, at another address.
	Address netip.Prefix
	Gateway netip.Addr

	// Env ("key=value") and Args (without argv[0]) are the program's.
	Env  []string
	Args []string

	// Seed is the guest's entropy. Nil: 32 bytes fresh from crypto/rand.
	// NoSeed leaves the guest without any.
	Seed   []byte
	NoSeed bool

	// Wall is the time the guest's clock starts at. Zero: the host's time.
	// NoWall leaves the guest to its build stamp.
	Wall   time.Time
	NoWall bool

	// NoSemihosting withholds the channel for the exit status, as on
	// hardware: a program that ends resets the machine or halts it.
	NoSemihosting bool

	// ICount is the value of QEMU's -icount, for example
	// ICountDeterministic. Empty: instructions are not counted and virtual
	// time is the host's.
	ICount string

	// Console receives what the guest prints, in addition to Machine's own
	// copy. Writes come from one goroutine; a slow writer slows the guest.
	Console io.Writer

	// Debugger stops the machine at its first instruction, for a debugger to
	// attach and let it go on: Machine.DebuggerAddr speaks GDB's remote
	// protocol. DebuggerPort is its port on the host's 127.0.0.1. Zero: a
	// free one.
	Debugger     bool
	DebuggerPort int

	// Binary is the QEMU program. Empty: the board's, from PATH.
	Binary string

	// ExtraArgs are appended to QEMU's command line. The network backend
	// is called net0 there.
	ExtraArgs []string
}

// A Raw image is copied to memory as it is.
type Raw struct {
	Addr  uint32 // physical address of its first byte
	Entry uint32 // and of its first instruction
}

// A Forward makes a TCP port of the guest reachable on the host's 127.0.0.1.
type Forward struct {
	HostPort  int // zero: a free one, see Machine.Addr
	GuestPort int
}

// seedSize is what Start takes from crypto/rand: 256 bits.
const seedSize = 32

// bootBlock returns the boot parameters that cfg asks for.
func (cfg *Config) bootBlock() ([]byte, error) {
	p := bootparam.Params{
		Seed:        cfg.Seed,
		Wall:        cfg.Wall,
		Env:         cfg.Env,
		Args:        cfg.Args,
		Semihosting: !cfg.NoSemihosting,
	}
	switch {
	case cfg.NoSeed && cfg.Seed != nil:
		return nil, fmt.Errorf("qemu: both Seed and NoSeed are set")
	case cfg.NoWall && !cfg.Wall.IsZero():
		return nil, fmt.Errorf("qemu: both Wall and NoWall are set")
	}
	if !cfg.NoSeed && cfg.Seed == nil {
		p.Seed = make([]byte, seedSize)
		rand.Read(p.Seed) // never fails, see crypto/rand
	}
	if !cfg.NoWall && cfg.Wall.IsZero() {
		p.Wall = time.Now()
	}
	return p.Encode()
}

// commandLine returns QEMU's arguments. blockFile holds the boot parameters,
// qmpFD is the inherited descriptor of the control socket, and the forwards
// and the debugger have their host ports.
func (cfg *Config) commandLine(b boards.Board, forwards []Forward, blockFile string, qmpFD int) []string {
	args := []string{
		"-M", b.QEMU.Machine,
		"-m", fmt.Sprintf("%dM", b.RAM>>20),
		// Nothing that is not asked for: no devices by default, no
		// configuration files, no window, no second life after a reset.
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-chardev", "stdio,id=console,signal=off",
		// The control socket, and stop before the first instruction
		// until it says to continue.
		"-chardev", fmt.Sprintf("socket,id=qmp,fd=%d", qmpFD), "-mon", "chardev=qmp,mode=control", "-S",
		"-device", fmt.Sprintf("loader,file=%s,addr=%#x,force-raw=on", escape(blockFile), b.BootParams),
	}
	if r := cfg.Raw; r != nil {
		args = append(args,
			"-device", fmt.Sprintf("loader,file=%s,addr=%#x,force-raw=on", escape(cfg.Image), r.Addr),
			"-device", fmt.Sprintf("loader,addr=%#x,cpu-num=0", r.Entry))
	} else {
		args = append(args, "-kernel", cfg.Image)
	}
	// Serial ports and Ethernet controllers are given out in their order: those
	// before the board's get nothing.
	for range b.QEMU.Console {
		args = append(args, "-serial", "null")
	}
	args = append(args, "-serial", "chardev:console")
	if !cfg.NoSemihosting {
		args = append(args, "-semihosting-config", "enable=on,target=native")
	}
	if cfg.Network || len(forwards) > 0 {
		nic := "user,id=net0,model=" + b.QEMU.NIC
		guest := ""
		if cfg.Address.IsValid() {
			guest = cfg.Address.Addr().String()
			nic += cfg.userNetwork()
		}
		for _, f := range forwards {
			nic += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-%s:%d", f.HostPort, guest, f.GuestPort)
		}
		for i := range b.QEMU.NICPort {
			args = append(args, "-nic", fmt.Sprintf("hubport,id=unused%d,hubid=%d,model=%s", i, i+1, b.QEMU.NIC))
		}
		args = append(args, "-nic", nic)
	} else {
		args = append(args, "-nic", "none")
	}
	if cfg.Debugger {
		args = append(args, "-gdb", fmt.Sprintf("tcp:127.0.0.1:%d", cfg.DebuggerPort))
	}
	if cfg.ICount != "" {
		args = append(args, "-icount", cfg.ICount)
	}
	return append(args, cfg.ExtraArgs...)
}

// userNetwork describes the network of Address. QEMU has three addresses of its own there,
// of which only the first is of use to the guest: the host, a name server, and the first
// that DHCP would give.
func (cfg *Config) userNetwork() string {
	network := cfg.Address.Masked()
	free := network.Addr()
	next := func() netip.Addr {
		for free = free.Next(); free == cfg.Address.Addr() || free == cfg.Gateway; free = free.Next() {
		}
		return free
	}
	host := cfg.Gateway
	if !host.IsValid() {
		host = next()
	}
	return fmt.Sprintf(",net=%v,host=%v,dns=%v,dhcpstart=%v", network, host, next(), next())
}

// escape doubles commas, as QEMU's option syntax wants them in a value.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }
