package bootparam_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"
	"time"

	"ingot.dev/kernel/bootparam"
)

func TestRoundTrip(t *testing.T) {
	wall := time.Unix(1_800_000_000, 123_456_789)
	for _, p := range []bootparam.Params{
		{},
		{Semihosting: true},
		{Seed: bytes.Repeat([]byte{7}, bootparam.MinSeed)},
		{Seed: bytes.Repeat([]byte{9}, bootparam.MaxSeed), Wall: wall},
		{Wall: time.Unix(-5, 3)},
		{Env: []string{"A=", "B=x", "INGOT_LISTEN=:8443"}, Args: []string{"", "-v", "ä", "four"}},
		{Seed: bytes.Repeat([]byte{1}, 33), Wall: wall, Env: []string{"A=1"}, Args: []string{"x"}, Semihosting: true},
	} {
		b, err := p.Encode()
		if err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		if len(b)%4 != 0 {
			t.Errorf("%+v: block of %d bytes", p, len(b))
		}
		// The block sits in a page whose rest is whatever RAM held.
		got, err := bootparam.Decode(append(b, 0xAA, 0x55, 0xFF))
		if err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		if !got.Wall.Equal(p.Wall) {
			t.Errorf("wall clock %v became %v", p.Wall, got.Wall)
		}
		got.Wall, p.Wall = time.Time{}, time.Time{}
		if !reflect.DeepEqual(got, p) {
			t.Errorf("%+v became %+v", p, got)
		}
	}
}

// TestLayout pins the bytes: the kernel reads them with code of its own.
func TestLayout(t *testing.T) {
	p := bootparam.Params{
		Seed:        []byte("0123456789abcdef0123456789abcdef"),
		Wall:        time.Unix(0, 0x0102030405060708),
		Env:         []string{"K=vvv"},
		Args:        []string{"abc"},
		Semihosting: true,
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	payload := "01002000" + hex.EncodeToString(p.Seed) +
		"02000800" + "0807060504030201" +
		"03000500" + hex.EncodeToString([]byte("K=vvv")) + "000000" +
		"04000300" + hex.EncodeToString([]byte("abc")) + "00" +
		"05000000"
	raw, _ := hex.DecodeString(payload)
	want := hex.EncodeToString([]byte("INGOTBP1")) + "48000000" +
		hex.EncodeToString(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(raw))) + payload
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		p    bootparam.Params
		want string
	}{
		{"short seed", bootparam.Params{Seed: make([]byte, 31)}, "31 bytes"},
		{"long seed", bootparam.Params{Seed: make([]byte, 65)}, "65 bytes"},
		{"far future", bootparam.Params{Wall: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}, "3000"},
		{"no equals sign", bootparam.Params{Env: []string{"PATH"}}, `"PATH"`},
		{"no key", bootparam.Params{Env: []string{"=x"}}, `"=x"`},
		{"zero in environment", bootparam.Params{Env: []string{"A=\x00"}}, "zero byte"},
		{"zero in argument", bootparam.Params{Args: []string{"\x00"}}, "zero byte"},
		{"long argument", bootparam.Params{Args: []string{strings.Repeat("x", 1<<16)}}, "65536 bytes"},
		{"too much", bootparam.Params{Args: []string{strings.Repeat("x", 8192), strings.Repeat("y", 8192)}}, "available"},
	} {
		_, err := c.p.Encode()
		if !errors.Is(err, bootparam.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want ErrInvalid with %q", c.name, err, c.want)
		}
	}
}

func TestLargestBlock(t *testing.T) {
	room := bootparam.MaxSize - bootparam.HeaderSize - 4
	if _, err := (bootparam.Params{Args: []string{strings.Repeat("x", room)}}).Encode(); err != nil {
		t.Errorf("an argument that just fits: %v", err)
	}
	if _, err := (bootparam.Params{Args: []string{strings.Repeat("x", room+1)}}).Encode(); err == nil {
		t.Error("an argument one byte too long was accepted")
	}
}

// block builds a parameter block around a payload, valid or not.
func block(payload []byte) []byte {
	b := []byte(bootparam.Magic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(payload))
	return append(b, payload...)
}

func TestDecodeRefuses(t *testing.T) {
	good, err := bootparam.Params{Env: []string{"A=1"}, Args: []string{"b"}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	flip := func(i int) []byte {
		b := bytes.Clone(good)
		b[i] ^= 0x10
		return b
	}
	seed := append([]byte{1, 0, 32, 0}, make([]byte, 32)...)
	for _, c := range []struct {
		name string
		mem  []byte
		want error
	}{
		{"empty", nil, bootparam.ErrAbsent},
		{"zeros", make([]byte, 64), bootparam.ErrAbsent},
		{"short header", good[:15], bootparam.ErrAbsent},
		{"magic", flip(0), bootparam.ErrAbsent},
		{"length", flip(8), bootparam.ErrDamaged},
		{"length beyond memory", good[:len(good)-1], bootparam.ErrDamaged},
		{"length beyond the limit", append(flip(10), make([]byte, 4<<20)...), bootparam.ErrDamaged},
		{"sum", flip(12), bootparam.ErrDamaged},
		{"payload", flip(20), bootparam.ErrDamaged},
		{"odd length", block([]byte{5, 0, 0, 0, 9}), bootparam.ErrDamaged},
		{"overrun", block([]byte{4, 0, 5, 0, 'a', 'b', 'c', 'd'}), bootparam.ErrDamaged},
		{"seed too short", block([]byte{1, 0, 4, 0, 1, 2, 3, 4}), bootparam.ErrDamaged},
		{"two seeds", block(append(bytes.Clone(seed), seed...)), bootparam.ErrDamaged},
		{"clock too short", block([]byte{2, 0, 4, 0, 1, 2, 3, 4}), bootparam.ErrDamaged},
		{"semihosting with data", block([]byte{5, 0, 4, 0, 1, 2, 3, 4}), bootparam.ErrDamaged},
	} {
		if _, err := bootparam.Decode(c.mem); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestDecodeIgnoresUnknownTags(t *testing.T) {
	p, err := bootparam.Decode(block([]byte{0x77, 0, 2, 0, 1, 2, 0, 0, 4, 0, 1, 0, 'x', 0, 0, 0}))
	if err != nil || len(p.Args) != 1 || p.Args[0] != "x" {
		t.Errorf("%+v, %v", p, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range []bootparam.Params{
		{},
		{Seed: make([]byte, 32), Wall: time.Unix(1, 0), Env: []string{"A=1"}, Args: []string{"b"}, Semihosting: true},
	} {
		b, err := p.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[bootparam.HeaderSize:])
	}
	f.Add([]byte{4, 0, 255, 255})
	f.Fuzz(func(t *testing.T, payload []byte) {
		p, err := bootparam.Decode(block(payload))
		if err != nil {
			return
		}
		// What was decoded can be decoded again from its own encoding,
		// unless it holds strings that no loader may write.
		b, err := p.Encode()
		if errors.Is(err, bootparam.ErrInvalid) {
			return
		}
		again, err := bootparam.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(p, again) {
			t.Errorf("%+v became %+v", p, again)
		}
	})
}

func Example() {
	b, err := bootparam.Params{
		Seed: []byte("32 bytes that no one can foresee"), // fresh from crypto/rand in real use
		Env:  []string{"INGOT_ADDR=10.0.2.15/24"},
		Args: []string{"-v"},
	}.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := bootparam.Decode(b)
	fmt.Printf("%d bytes, %s, %q %q, %v\n", len(b), b[:8], p.Env, p.Args, err)
	// Output: 88 bytes, INGOTBP1, ["INGOT_ADDR=10.0.2.15/24"] ["-v"], <nil>
}
