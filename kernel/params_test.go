//go:build !arm

package kernel

import (
	"bytes"
	"encoding/binary"
	ieee "hash/crc32"
	"testing"
	"time"

	"ingot.dev/kernel/bootparam"
)

func encode(t testing.TB, p bootparam.Params) []byte {
	t.Helper()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var fullParams = bootparam.Params{
	Seed:        bytes.Repeat([]byte{0x5a, 1, 2}, 20)[:48],
	Wall:        time.Unix(1_800_000_000, 123_456_789),
	Env:         []string{"A=1", "INGOT_ADDR=10.0.2.15/24", "EMPTY="},
	Args:        []string{"-v", "", "a longer argument with spaces"},
	Semihosting: true,
}

// TestParams reads what package bootparam writes, as a loader leaves it in a page
// with other things behind it.
func TestParams(t *testing.T) {
	page := bytes.Repeat([]byte{0xcc}, maxParams)
	copy(page, encode(t, fullParams))
	p := findParams(page)
	var env, args []string
	for at := uint32(0); ; {
		tag, data, after := p.next(at)
		if tag == 0 {
			break
		}
		switch tag {
		case tagEnv:
			env = append(env, string(data))
		case tagArg:
			args = append(args, string(data))
		}
		at = after
	}
	eqStrings(t, "environment", env, fullParams.Env)
	eqStrings(t, "arguments", args, fullParams.Args)
	k := bootKernel(params{})
	k.applyParams(p)
	eq(t, "seeded", k.random.seeded(), true)
	eq(t, "semihosting", k.semihosting, true)
	now, _ := k.readClock(0)
	eq(t, "wall clock", now, uint64(fullParams.Wall.UnixNano()))
	wipe((*[maxParams]byte)(page))
	if len(bytes.Trim(page, "\x00")) != 0 {
		t.Error("wipe leaves something")
	}
	if k := bootKernel(findParams(encode(t, bootparam.Params{}))); k.random.seeded() || k.clock.wall != 0 || k.semihosting {
		t.Error("empty parameters are taken for something")
	}
	if findParams(make([]byte, maxParams)).block != nil || findParams(nil).block != nil {
		t.Error("parameters where none are")
	}
}

// TestDamagedParams flips every bit of a block: damaged parameters are none.
func TestDamagedParams(t *testing.T) {
	b := encode(t, fullParams)
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		if findParams(b).block != nil {
			t.Errorf("bit %d of byte %d flipped, and nobody minds", i%8, i/8)
		}
		b[i/8] ^= 1 << (i % 8)
	}
	for n := range b {
		if findParams(b[:n]).block != nil {
			t.Errorf("the first %d bytes are taken for all", n)
		}
	}
}

// FuzzParams boots with any records in a block that is not damaged.
func FuzzParams(f *testing.F) {
	f.Add(encode(f, fullParams)[bootparam.HeaderSize:])
	f.Add([]byte{})
	f.Add([]byte{3, 0, 0xff, 0xff})
	f.Add(bytes.Repeat([]byte{3, 0, 0, 0}, 300))
	f.Add(bytes.Repeat([]byte{4, 0, 1, 0, 'x', 0, 0, 0}, 300))
	f.Fuzz(func(t *testing.T, payload []byte) {
		payload = payload[:min(len(payload), maxParams-paramsHeader)]
		b := append([]byte(bootparam.Magic), make([]byte, 8)...)
		binary.LittleEndian.PutUint32(b[8:], uint32(len(payload)))
		binary.LittleEndian.PutUint32(b[12:], ieee.ChecksumIEEE(payload))
		b = append(b, payload...)
		p := findParams(b)
		if len(payload) > 0 && p.block == nil {
			t.Fatal("a block with the right sum is refused")
		}
		m := &machineUnderTest{Kernel: bootKernel(p), t: t}
		m.check()
		parseStack(m)
		if q, err := bootparam.Decode(b); err == nil {
			eq(t, "seeded", m.random.seeded(), len(q.Seed) >= 32)
			eq(t, "semihosting", m.semihosting, q.Semihosting)
		}
	})
}
