package imx

import (
	"encoding/binary"
	"fmt"
)

// Limits of the ROM: IMX6ULRM, "Device Configuration Data".
const (
	MaxDCD    = 1768 // bytes
	MaxWrites = 220  // registers
)

const (
	dcdHeader  = 4
	tagDCD     = 0xD2
	tagWrite   = 0xCC
	tagCheck   = 0xCF
	tagNop     = 0xC0
	dcdVersion = 0x40 // as with the IVT, also 0x41

	flagMask = 1 << 3 // the value has the bits that are meant
	flagSet  = 1 << 4
	widths   = 7
)

// Op is what a command does.
type Op uint8

// Commands. Register writes of an equal kind that follow each other share one command in
// the file.
const (
	Write    Op = iota // register = value
	Clear              // clear the value's bits
	Set                // set the value's bits
	AllClear           // wait until all of the value's bits are clear
	AnyClear           // wait until one is clear
	AllSet             // wait until all are set
	AnySet             // wait until one is set
	Nop                // nothing
)

var opNames = [...]string{"write", "clear", "set", "wait until all clear", "wait until any clear", "wait until all set", "wait until any set", "nop"}

func (op Op) String() string {
	if int(op) < len(opNames) {
		return opNames[op]
	}
	return fmt.Sprintf("Op(%d)", uint8(op))
}

// encoding is the tag and the flags of each.
var encoding = [...]struct{ tag, flags byte }{
	Write: {tagWrite, 0}, Clear: {tagWrite, flagMask}, Set: {tagWrite, flagMask | flagSet},
	AllClear: {tagCheck, 0}, AnyClear: {tagCheck, flagMask}, AllSet: {tagCheck, flagSet}, AnySet: {tagCheck, flagMask | flagSet},
	Nop: {tagNop, 0},
}

// A Command is one step of the DCD.
type Command struct {
	Op      Op
	Width   uint8 // of the register in bytes: 1, 2 or 4; 0 for Nop
	Address uint32
	Value   uint32 // or the bits that are meant

	// Polls bounds how often a check looks, if Bounded; the ROM gives up the image
	// when that is not enough. Otherwise it looks forever.
	Bounded bool
	Polls   uint32
}

func (c Command) writes() bool { return c.Op <= Set }

func (c Command) check() error {
	if int(c.Op) >= len(encoding) {
		return fmt.Errorf("%w: DCD command %v", ErrInvalid, c.Op)
	}
	if c.Op == Nop {
		if c != (Command{Op: Nop}) {
			return fmt.Errorf("%w: a DCD nop with operands", ErrInvalid)
		}
		return nil
	}
	if c.Width != 1 && c.Width != 2 && c.Width != 4 || c.Address%uint32(c.Width) != 0 || uint64(c.Value)>>(8*c.Width) != 0 {
		return fmt.Errorf("%w: DCD: %v %#x at %#x in %d bytes", ErrInvalid, c.Op, c.Value, c.Address, c.Width)
	}
	if c.writes() && (c.Bounded || c.Polls != 0) || !c.Bounded && c.Polls != 0 {
		return fmt.Errorf("%w: DCD: a number of polls for %v at %#x", ErrInvalid, c.Op, c.Address)
	}
	return nil
}

// encodeDCD returns the DCD's bytes; none for no commands.
func encodeDCD(commands []Command) ([]byte, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	be := binary.BigEndian
	b := []byte{tagDCD, 0, 0, dcdVersion}
	writes, open := 0, -1 // the command that further writes belong to
	for i, c := range commands {
		if err := c.check(); err != nil {
			return nil, err
		}
		e := encoding[c.Op]
		if !c.writes() || open < 0 || commands[i-1].Op != c.Op || commands[i-1].Width != c.Width {
			open = len(b)
			b = append(b, e.tag, 0, 0, e.flags|c.Width)
		}
		if c.writes() {
			writes++
		}
		if c.Op != Nop {
			b = be.AppendUint32(b, c.Address)
			b = be.AppendUint32(b, c.Value)
		}
		if c.Bounded {
			b = be.AppendUint32(b, c.Polls)
		}
		if len(b) > MaxDCD || writes > MaxWrites {
			return nil, fmt.Errorf("%w: the DCD has more than %d bytes or %d writes, which the ROM does not take", ErrInvalid, MaxDCD, MaxWrites)
		}
		be.PutUint16(b[open+1:], uint16(len(b)-open))
	}
	be.PutUint16(b[1:], uint16(len(b)))
	return b, nil
}

// parseDCD reads the DCD that b begins with.
func parseDCD(b []byte) ([]Command, error) {
	be := binary.BigEndian
	if b[0] != tagDCD || b[3]&^1 != dcdVersion {
		return nil, fmt.Errorf("%w: the DCD begins with % x", ErrInvalid, b[:dcdHeader])
	}
	size := int(be.Uint16(b[1:]))
	if size < dcdHeader || size > MaxDCD || size > len(b) {
		return nil, fmt.Errorf("%w: a DCD of %d bytes", ErrInvalid, size)
	}
	var commands []Command
	writes := 0
	for b = b[dcdHeader:size]; len(b) > 0; {
		if len(b) < 4 {
			return nil, fmt.Errorf("%w: the DCD ends within a command", ErrInvalid)
		}
		tag, n, flags := b[0], int(be.Uint16(b[1:])), b[3]
		if n < 4 || n > len(b) {
			return nil, fmt.Errorf("%w: a DCD command of %d bytes where there are %d", ErrInvalid, n, len(b))
		}
		op, ok := opOf(tag, flags&^widths)
		if !ok {
			return nil, fmt.Errorf("%w: DCD command % x", ErrInvalid, b[:4])
		}
		operands := b[4:n]
		b = b[n:]
		add := func(c Command) error {
			if err := c.check(); err != nil {
				return err
			}
			if c.writes() {
				if writes++; writes > MaxWrites {
					return fmt.Errorf("%w: the DCD has more than %d writes", ErrInvalid, MaxWrites)
				}
			}
			commands = append(commands, c)
			return nil
		}
		c := Command{Op: op, Width: flags & widths}
		switch {
		case op == Nop && len(operands) == 0:
		case c.writes() && len(operands) > 0 && len(operands)%8 == 0:
			for ; len(operands) > 8; operands = operands[8:] {
				c.Address, c.Value = be.Uint32(operands), be.Uint32(operands[4:])
				if err := add(c); err != nil {
					return nil, err
				}
			}
			c.Address, c.Value = be.Uint32(operands), be.Uint32(operands[4:])
		case tag == tagCheck && (len(operands) == 8 || len(operands) == 12):
			c.Address, c.Value = be.Uint32(operands), be.Uint32(operands[4:])
			if len(operands) == 12 {
				c.Bounded, c.Polls = true, be.Uint32(operands[8:])
			}
		default:
			return nil, fmt.Errorf("%w: DCD command %v with %d bytes of operands", ErrInvalid, op, len(operands))
		}
		if err := add(c); err != nil {
			return nil, err
		}
	}
	return commands, nil
}

func opOf(tag, flags byte) (Op, bool) {
	for op, e := range encoding {
		if e.tag == tag && e.flags == flags {
			return Op(op), true
		}
	}
	return 0, false
}

// Registers are what a DCD is carried out on.
type Registers interface {
	Read(addr uint32, width uint8) uint32
	Write(addr uint32, width uint8, v uint32)
}

// maxPolls is how often Run looks where the ROM would look forever.
const maxPolls = 1000

// Run carries out a DCD as the ROM does, on a model of the registers. Errors wrap
// ErrInvalid.
func Run(commands []Command, r Registers) error {
	for _, c := range commands {
		switch c.Op {
		case Write:
			r.Write(c.Address, c.Width, c.Value)
		case Clear:
			r.Write(c.Address, c.Width, r.Read(c.Address, c.Width)&^c.Value)
		case Set:
			r.Write(c.Address, c.Width, r.Read(c.Address, c.Width)|c.Value)
		case Nop:
		default:
			polls := uint32(maxPolls)
			if c.Bounded {
				polls = min(c.Polls, maxPolls)
			}
			if !poll(c, r, polls) {
				return fmt.Errorf("%w: DCD: %v %#x at %#x does not come true", ErrInvalid, c.Op, c.Value, c.Address)
			}
		}
	}
	return nil
}

func poll(c Command, r Registers, polls uint32) bool {
	for ; polls > 0; polls-- {
		v := r.Read(c.Address, c.Width) & c.Value
		switch c.Op {
		case AllClear:
			if v == 0 {
				return true
			}
		case AnyClear:
			if v != c.Value {
				return true
			}
		case AllSet:
			if v == c.Value {
				return true
			}
		case AnySet:
			if v != 0 {
				return true
			}
		}
	}
	return false
}
