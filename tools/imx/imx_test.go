package imx

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// sample has a command of every kind.
func sample() *Image {
	return &Image{
		Start: 0x8000e000,
		Entry: 0x8000f000,
		DCD: []Command{
			{Op: Write, Width: 4, Address: 0x020c4068, Value: 0xffffffff},
			{Op: Write, Width: 4, Address: 0x020c406c, Value: 0x12345678},
			{Op: AllSet, Width: 4, Address: 0x020e4024, Value: 1},
			{Op: Set, Width: 4, Address: 0x020e0494, Value: 2},
			{Op: Clear, Width: 4, Address: 0x020e0494, Value: 4},
			{Op: Clear, Width: 2, Address: 0x020bc008, Value: 1},
			{Op: AllClear, Width: 4, Address: 0x020e4024, Value: 2},
			{Op: Nop},
			{Op: AnySet, Width: 1, Address: 0x020e4025, Value: 0xff, Bounded: true, Polls: 7},
			{Op: AnyClear, Width: 4, Address: 0x020e4028, Value: 3},
		},
		Body: bytes.Repeat([]byte("ingot"), 1000),
	}
}

// TestLayout has the bytes as IMX6ULRM, chapter "System Boot", gives them.
func TestLayout(t *testing.T) {
	b, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"d1002040 00f00080 00000000", // IVT: header, entry, reserved
		"2ce40080 20e40080 00e40080", // DCD, boot data, self
		"00000000 00000000",          // no signature, reserved
		"00e00080 00300000 00000000", // boot data: start, length, no plug-in
		"d2007440",                   // DCD: 116 bytes
		"cc001404 020c4068ffffffff 020c406c12345678",
		"cf000c14 020e402400000001",
		"cc000c1c 020e049400000002",
		"cc000c0c 020e049400000004",
		"cc000c0a 020bc00800000001",
		"cf000c04 020e402400000002",
		"c0000400",
		"cf001019 020e4025000000ff 00000007",
		"cf000c0c 020e402800000003",
	}, " ")
	wanted, err := hex.DecodeString(strings.ReplaceAll(want, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, wanted) {
		t.Errorf("it begins with\n% x, want\n% x", b[:len(wanted)], wanted)
	}
	if len(b) != 0x3000-0x400 || !bytes.HasPrefix(b[0xc00:], []byte("ingotingot")) {
		t.Errorf("%d bytes; at 0xc00 % x", len(b), b[0xc00:][:10])
	}
}

func TestRoundTrip(t *testing.T) {
	for _, im := range []*Image{sample(), {Start: 0x80000000, Entry: 0x80001004, Body: make([]byte, 8)}} {
		b, err := im.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if back.Start != im.Start || back.Entry != im.Entry || !reflect.DeepEqual(back.DCD, im.DCD) || !bytes.Equal(back.Body[:len(im.Body)], im.Body) {
			t.Errorf("%+v came back as %+v", im, back)
		}
		if (len(back.Body)+BodyOffset)%4096 != 0 || len(bytes.Trim(back.Body[len(im.Body):], "\x00")) != 0 {
			t.Errorf("the last block is filled up to %d bytes, with % x", len(back.Body), back.Body[len(im.Body):])
		}
		card, err := im.Card()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseCard(card)
		if err != nil || !reflect.DeepEqual(back, again) {
			t.Errorf("from a card: %+v, %v", again, err)
		}
		// One partition, from the boot image's first sector to the card image's end.
		e := card[446:462]
		if first, n := binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:]); first != 2 || int(first+n)*512 != len(card) || e[4] != 0xda || card[510] != 0x55 || card[511] != 0xaa {
			t.Errorf("the partition is %d sectors from %d, the card has %d bytes: % x", n, first, len(card), e)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	many := make([]Command, MaxWrites+1)
	for i := range many {
		many[i] = Command{Op: Write, Width: 4, Address: 0x20e0000}
	}
	nops := make([]Command, MaxDCD/4)
	for i := range nops {
		nops[i].Op = Nop
	}
	for name, change := range map[string]func(*Image){
		"no body":              func(im *Image) { im.Body = nil },
		"a start out of line":  func(im *Image) { im.Start++ },
		"an end behind 4 GB":   func(im *Image) { im.Start, im.Entry = 0xfffff000, 0xfffffff0 },
		"an entry before it":   func(im *Image) { im.Entry = im.Start },
		"an entry behind it":   func(im *Image) { im.Entry = im.Start + BodyOffset + uint32(len(im.Body)) },
		"too many writes":      func(im *Image) { im.DCD = many },
		"too long a DCD":       func(im *Image) { im.DCD = nops },
		"an odd width":         func(im *Image) { im.DCD[0].Width = 3 },
		"a value too wide":     func(im *Image) { im.DCD[8].Value = 0x100 },
		"an address between":   func(im *Image) { im.DCD[0].Address++ },
		"a write with polls":   func(im *Image) { im.DCD[0].Bounded = true },
		"polls without bounds": func(im *Image) { im.DCD[2].Polls = 1 },
		"a nop with operands":  func(im *Image) { im.DCD[7].Value = 1 },
		"an unknown command":   func(im *Image) { im.DCD[0].Op = Nop + 1 },
	} {
		im := sample()
		change(im)
		if _, err := im.Encode(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := im.Card(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s, on a card: %v", name, err)
		}
	}
	most := sample()
	most.DCD = many[:MaxWrites]
	if _, err := most.Encode(); err != nil {
		t.Errorf("%d writes: %v", MaxWrites, err)
	}
}

func TestParseRefuses(t *testing.T) {
	le, be := binary.LittleEndian, binary.BigEndian
	const dcd = ivtSize + bootDataSize
	for name, change := range map[string]func([]byte) []byte{
		"nothing":                 func(b []byte) []byte { return nil },
		"a piece":                 func(b []byte) []byte { return b[:headerSize-1] },
		"another tag":             func(b []byte) []byte { b[0] = 0xd2; return b },
		"another length":          func(b []byte) []byte { b[2] = 28; return b },
		"another version":         func(b []byte) []byte { b[3] = 0x50; return b },
		"a signature":             func(b []byte) []byte { b[24] = 1; return b },
		"boot data elsewhere":     func(b []byte) []byte { le.PutUint32(b[16:], 0x80000000); return b },
		"boot data in the table":  func(b []byte) []byte { le.PutUint32(b[16:], 0x8000e400); return b },
		"boot data at the edge":   func(b []byte) []byte { le.PutUint32(b[16:], 0x8000eff8); return b },
		"a DCD elsewhere":         func(b []byte) []byte { le.PutUint32(b[12:], 0x8000f000); return b },
		"a DCD at the edge":       func(b []byte) []byte { le.PutUint32(b[12:], 0x8000effe); return b },
		"a start of its own":      func(b []byte) []byte { le.PutUint32(b[ivtSize:], 0x80000000); return b },
		"a table at 0":            func(b []byte) []byte { le.PutUint32(b[20:], 0); return b },
		"more than there is":      func(b []byte) []byte { le.PutUint32(b[ivtSize+4:], 0x4000); return b },
		"less than the header":    func(b []byte) []byte { le.PutUint32(b[ivtSize+4:], 0xfff); return b },
		"nothing behind it":       func(b []byte) []byte { le.PutUint32(b[ivtSize+4:], 0x1000); return b },
		"a plug-in":               func(b []byte) []byte { b[ivtSize+8] = 1; return b },
		"an entry elsewhere":      func(b []byte) []byte { le.PutUint32(b[4:], 0x80000000); return b },
		"another DCD tag":         func(b []byte) []byte { b[dcd] = 0xd1; return b },
		"another DCD version":     func(b []byte) []byte { b[dcd+3] = 0x60; return b },
		"a DCD of no bytes":       func(b []byte) []byte { be.PutUint16(b[dcd+1:], 3); return b },
		"a DCD too long":          func(b []byte) []byte { be.PutUint16(b[dcd+1:], MaxDCD+1); return b },
		"a DCD that ends early":   func(b []byte) []byte { be.PutUint16(b[dcd+1:], 114); return b },
		"a command of no bytes":   func(b []byte) []byte { be.PutUint16(b[dcd+5:], 0); return b },
		"a command too long":      func(b []byte) []byte { be.PutUint16(b[dcd+5:], 200); return b },
		"a command half as long":  func(b []byte) []byte { be.PutUint16(b[dcd+5:], 0x10); return b },
		"a write of nothing":      func(b []byte) []byte { be.PutUint16(b[dcd+5:], 4); return b },
		"an unknown command":      func(b []byte) []byte { b[dcd+4] = 0xcd; return b },
		"unknown flags":           func(b []byte) []byte { b[dcd+7] |= 0x80; return b },
		"set without mask":        func(b []byte) []byte { b[dcd+7] |= flagSet; return b },
		"a width of 3":            func(b []byte) []byte { b[dcd+7] = 3; return b },
		"a register out of line":  func(b []byte) []byte { b[dcd+11]++; return b },
		"a value wider than that": func(b []byte) []byte { b[dcd+7] = 2; return b },
	} {
		b, err := sample().Encode()
		if err != nil {
			t.Fatal(err)
		}
		if im, err := Parse(change(b)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, im, err)
		}
	}
	if _, err := ParseCard(make([]byte, 100)); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

// What Parse takes comes back from Encode with the same meaning.
func FuzzParse(f *testing.F) {
	b, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	im := sample()
	im.DCD = nil
	if b, err = im.Encode(); err != nil {
		f.Fatal(err)
	}
	f.Add(b[:headerSize+8])
	f.Fuzz(func(t *testing.T, b []byte) {
		im, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Error(err)
			}
			return
		}
		out, err := im.Encode()
		if err != nil {
			t.Fatalf("%+v: %v", im, err)
		}
		back, err := Parse(out)
		if err != nil {
			t.Fatal(err)
		}
		if back.Start != im.Start || back.Entry != im.Entry || !bytes.Equal(back.Body[:len(im.Body)], im.Body) || len(back.DCD) != len(im.DCD) || len(im.DCD) > 0 && !reflect.DeepEqual(back.DCD, im.DCD) {
			t.Errorf("%+v came back as %+v", im, back)
		}
	})
}

// registers is memory that counts accesses; a read of the address in ready gives the
// values of a device that gets ready.
type registers struct {
	values map[uint32]uint32
	log    []string
	after  int // reads until every bit is the other way round
}

func (r *registers) Read(addr uint32, width uint8) uint32 {
	r.log = append(r.log, fmt.Sprintf("r%d %#x", width, addr))
	if r.after--; r.after == 0 {
		r.values[addr] = ^r.values[addr]
	}
	return r.values[addr]
}

func (r *registers) Write(addr uint32, width uint8, v uint32) {
	r.log = append(r.log, fmt.Sprintf("w%d %#x %#x", width, addr, v))
	r.values[addr] = v
}

func TestRun(t *testing.T) {
	r := &registers{values: map[uint32]uint32{8: 0xf0}}
	err := Run([]Command{
		{Op: Write, Width: 4, Address: 4, Value: 0x55},
		{Op: Nop},
		{Op: Set, Width: 2, Address: 8, Value: 0x0f},
		{Op: Clear, Width: 1, Address: 8, Value: 0x80},
		{Op: AllSet, Width: 4, Address: 4, Value: 0x44},
	}, r)
	if err != nil || fmt.Sprint(r.log) != "[w4 0x4 0x55 r2 0x8 w2 0x8 0xff r1 0x8 w1 0x8 0x7f r4 0x4]" {
		t.Errorf("%v, %v", r.log, err)
	}
	for _, c := range []struct {
		op            Op
		before, value uint32
		comes         bool // at the third look
	}{
		{AllClear, 1, 3, false}, {AllClear, 3, 3, true},
		{AnyClear, 3, 3, true},
		{AllSet, 1, 3, false}, {AllSet, 0, 3, true},
		{AnySet, 0, 3, true},
	} {
		r := &registers{values: map[uint32]uint32{4: c.before}, after: 3}
		check := Command{Op: c.op, Width: 4, Address: 4, Value: c.value, Bounded: true, Polls: 2}
		if err := Run([]Command{check}, r); !errors.Is(err, ErrInvalid) || len(r.log) != 2 {
			t.Errorf("%v of %#x in %#x, twice: %v, %v", c.op, c.value, c.before, err, r.log)
		}
		r = &registers{values: map[uint32]uint32{4: c.before}, after: 3}
		check.Bounded, check.Polls = false, 0
		if err := Run([]Command{check}, r); (err == nil) != c.comes {
			t.Errorf("%v of %#x in %#x: %v", c.op, c.value, c.before, err)
		}
	}
}

// TestMkimage compares with U-Boot's tool, byte by byte.
func TestMkimage(t *testing.T) {
	mkimage, err := exec.LookPath("mkimage")
	if err != nil {
		t.Skipf("not installed (Debian: u-boot-tools): %v", err)
	}
	im := sample()
	im.DCD = append(im.DCD[:5:5], im.DCD[6]) // the kinds that its language has
	config := "IMAGE_VERSION 2\nBOOT_FROM sd\n"
	words := map[Op]string{Write: "DATA", AllSet: "CHECK_BITS_SET", Set: "SET_BIT", Clear: "CLR_BIT", AllClear: "CHECK_BITS_CLR"}
	for _, c := range im.DCD {
		config += fmt.Sprintf("%s %d %#x %#x\n", words[c.Op], c.Width, c.Address, c.Value)
	}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, size := range []int{1, 4096, 5000, 8192, 8193} {
		im.Body = bytes.Repeat([]byte{0x5a}, size)
		ours, err := im.Encode()
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "out.imx")
		cmd := exec.CommandContext(t.Context(), mkimage, "-n", write("cfg", []byte(config)), "-T", "imximage", "-e", fmt.Sprintf("%#x", im.Entry), "-d", write("body", im.Body), out)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		theirs, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours, theirs) {
			i := 0
			for i < min(len(ours), len(theirs)) && ours[i] == theirs[i] {
				i++
			}
			t.Errorf("a body of %d bytes: %d bytes, mkimage makes %d; they differ at %#x", size, len(ours), len(theirs), i)
		}
		// And it takes ours for one of its own.
		if text, err := exec.CommandContext(t.Context(), mkimage, "-l", write("ours.imx", ours)).CombinedOutput(); err != nil || !strings.Contains(string(text), "Entry Point:  8000f000") {
			t.Errorf("mkimage -l: %v\n%s", err, text)
		}
	}
}
