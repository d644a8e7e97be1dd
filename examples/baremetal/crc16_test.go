package crc16

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

func TestChecksum(t *testing.T) {
	t.Logf("on %s/%s", runtime.GOOS, runtime.GOARCH)
	for _, c := range []struct {
		data string
		want uint16
	}{
		{"", 0xffff},
		{"123456789", 0x4b37},                // the check value of CRC-16/MODBUS
		{"\x01\x03\x00\x00\x00\x0a", 0xcdc5}, // read ten registers
	} {
		if got := Checksum([]byte(c.data)); got != c.want {
			t.Errorf("Checksum(%q) = %#04x, want %#04x", c.data, got, c.want)
		}
	}
}

// The table and the definition agree.
func TestTable(t *testing.T) {
	data := make([]byte, 4096)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	want := uint16(0xffff)
	for _, b := range data {
		want = bitwise(want, b)
	}
	if got := Checksum(data); got != want {
		t.Errorf("by the table %#04x, by the definition %#04x", got, want)
	}
}

// No single wrong bit goes unseen.
func TestValid(t *testing.T) {
	frame := Append([]byte("\x11\x06\x00\x01\x00\x03"))
	if !Valid(frame) {
		t.Fatalf("% x is not valid", frame)
	}
	for bit := range 8 * len(frame) {
		frame[bit/8] ^= 1 << (bit % 8)
		if Valid(frame) {
			t.Errorf("% x is valid, though bit %d is wrong", frame, bit)
		}
		frame[bit/8] ^= 1 << (bit % 8)
	}
	if Valid(nil) || Valid(frame[:1]) {
		t.Error("what is too short for a checksum is valid")
	}
}

// The longest frame of Modbus.
func BenchmarkChecksum(b *testing.B) {
	frame := make([]byte, 256)
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		Checksum(frame)
	}
}
