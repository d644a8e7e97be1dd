package bootparam

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// The fixed parts of the format.
const (
	Magic      = "INGOTBP1"
	HeaderSize = 16       // magic, payload length, payload CRC
	MaxSize    = 16 << 10 // of the whole block, header included
	MinSeed    = 32       // bytes: the kernel gives no random numbers on fewer than 256 bits
	MaxSeed    = 64
)

// The tags of the records.
const (
	TagEnd         = 0
	TagSeed        = 1
	TagWall        = 2
	TagEnv         = 3
	TagArg         = 4
	TagSemihosting = 5
)

// Errors that Encode and Decode wrap.
var (
	// ErrAbsent says that there is no parameter block: the magic is missing.
	ErrAbsent = errors.New("no boot parameters")
	// ErrDamaged says that there is a block, but not the one that was written.
	ErrDamaged = errors.New("boot parameters are damaged")
	// ErrInvalid says that a value can't be represented in the block.
	ErrInvalid = errors.New("invalid boot parameter")
)

// Params is the content of a block. The zero value is valid: a machine with
// no seed, no clock, no environment and no arguments.
type Params struct {
	// Seed is fresh secret randomness, MinSeed to MaxSeed bytes. None: the
	// guest has no random numbers unless its hardware makes them.
	Seed []byte

	// Wall is the time to start the clock at. Zero: the guest starts at
	// its build stamp or at what its own clock chip says.
	Wall time.Time

	// Env holds "key=value" entries for the program's environment.
	Env []string

	// Args holds the program's arguments without argv[0].
	Args []string

	// Semihosting says that whatever started the machine answers
	// semihosting calls.
	Semihosting bool
}

// Encode returns the block that carries p.
// Errors wrap ErrInvalid and say which value is at fault.
func (p Params) Encode() ([]byte, error) {
	b := make([]byte, HeaderSize, 256)
	if len(p.Seed) != 0 {
		if len(p.Seed) < MinSeed || len(p.Seed) > MaxSeed {
			return nil, fmt.Errorf("%w: a seed of %d bytes, want %d to %d", ErrInvalid, len(p.Seed), MinSeed, MaxSeed)
		}
		b = appendRecord(b, TagSeed, p.Seed)
	}
	if !p.Wall.IsZero() {
		ns := p.Wall.UnixNano()
		if !time.Unix(0, ns).Equal(p.Wall) {
			return nil, fmt.Errorf("%w: wall clock %v is outside what int64 nanoseconds hold", ErrInvalid, p.Wall)
		}
		b = appendRecord(b, TagWall, binary.LittleEndian.AppendUint64(nil, uint64(ns)))
	}
	for _, e := range p.Env {
		if strings.IndexByte(e, '=') < 1 {
			return nil, fmt.Errorf("%w: environment entry %q is not key=value", ErrInvalid, e)
		}
		if err := checkString("environment entry", e); err != nil {
			return nil, err
		}
		b = appendRecord(b, TagEnv, []byte(e))
	}
	for _, a := range p.Args {
		if err := checkString("argument", a); err != nil {
			return nil, err
		}
		b = appendRecord(b, TagArg, []byte(a))
	}
	if p.Semihosting {
		b = appendRecord(b, TagSemihosting, nil)
	}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: environment and arguments need %d bytes, %d are available", ErrInvalid, len(b), MaxSize)
	}
	copy(b, Magic)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-HeaderSize))
	binary.LittleEndian.PutUint32(b[12:], crc32.ChecksumIEEE(b[HeaderSize:]))
	return b, nil
}

// checkString refuses what the kernel could not put on the program's stack as
// a C string, and what the record's 16-bit length can't express.
func checkString(what, s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fmt.Errorf("%w: %s %q contains a zero byte", ErrInvalid, what, s)
	}
	if len(s) > MaxSize {
		return fmt.Errorf("%w: %s of %d bytes starting %q is longer than the whole block may be (%d)", ErrInvalid, what, len(s), s[:32], MaxSize)
	}
	return nil
}

func appendRecord(b []byte, tag uint16, data []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, tag)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data)))
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// Decode reads a block from the start of mem; what follows the block is
// ignored. Errors wrap ErrAbsent or ErrDamaged. The result does not alias mem.
func Decode(mem []byte) (Params, error) {
	var p Params
	if len(mem) < HeaderSize || string(mem[:len(Magic)]) != Magic {
		return p, ErrAbsent
	}
	n := uint64(binary.LittleEndian.Uint32(mem[8:]))
	if n%4 != 0 || n > MaxSize-HeaderSize || n > uint64(len(mem)-HeaderSize) {
		return p, fmt.Errorf("%w: payload length %d", ErrDamaged, n)
	}
	b := mem[HeaderSize : HeaderSize+int(n)]
	if sum := crc32.ChecksumIEEE(b); sum != binary.LittleEndian.Uint32(mem[12:]) {
		return p, fmt.Errorf("%w: CRC-32 %#08x does not match the header", ErrDamaged, sum)
	}
	for len(b) > 0 {
		tag, size := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if tag == TagEnd {
			break
		}
		padded := (size + 3) &^ 3
		if padded > len(b)-4 {
			return Params{}, fmt.Errorf("%w: record with tag %d overruns the payload", ErrDamaged, tag)
		}
		data := b[4 : 4+size]
		b = b[4+padded:]
		if err := p.add(tag, data); err != nil {
			return Params{}, err
		}
	}
	return p, nil
}

func (p *Params) add(tag uint16, data []byte) error {
	switch tag {
	case TagSeed:
		if len(data) < MinSeed || len(data) > MaxSeed || p.Seed != nil {
			return fmt.Errorf("%w: seed of %d bytes, or a second one", ErrDamaged, len(data))
		}
		p.Seed = append([]byte(nil), data...)
	case TagWall:
		if len(data) != 8 || !p.Wall.IsZero() {
			return fmt.Errorf("%w: wall clock of %d bytes, or a second one", ErrDamaged, len(data))
		}
		p.Wall = time.Unix(0, int64(binary.LittleEndian.Uint64(data)))
	case TagEnv:
		p.Env = append(p.Env, string(data))
	case TagArg:
		p.Args = append(p.Args, string(data))
	case TagSemihosting:
		if len(data) != 0 {
			return fmt.Errorf("%w: semihosting record with %d bytes", ErrDamaged, len(data))
		}
		p.Semihosting = true
	}
	return nil
}
