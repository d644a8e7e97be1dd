package sntp

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

func TestStamp(t *testing.T) {
	floor := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, want := range []time.Time{
		time.Date(2026, 11, 22, 4, 0, 0, 500_000_000, time.UTC),
		time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC), // before the floor, but of this era
		time.Date(2036, 2, 7, 6, 28, 15, 0, time.UTC), // the last second of era 0
		time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC), // the first of era 1
		time.Date(2060, 5, 1, 0, 0, 0, 0, time.UTC),
	} {
		var b [8]byte
		binary.BigEndian.PutUint32(b[:], uint32(want.Unix()+unixEpoch))
		binary.BigEndian.PutUint32(b[4:], uint32(uint64(want.Nanosecond())<<32/1e9))
		if got := stamp(b[:], floor); got.Sub(want).Abs() > time.Microsecond {
			t.Errorf("%v was read as %v", want, got.UTC())
		}
	}
}

func TestJudge(t *testing.T) {
	nonce := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	good := func() []byte {
		b := make([]byte, packetSize)
		b[0], b[offStratum] = 0x24, 2
		copy(b[offOriginate:], nonce[:])
		b[offTransmit] = 0xee
		return b
	}
	for _, tt := range []struct {
		name string
		mod  func([]byte) []byte
		want error
	}{
		{"good", func(b []byte) []byte { return b }, nil},
		{"version 3", func(b []byte) []byte { b[0] = 0x1c; return b }, nil},
		{"short", func(b []byte) []byte { return b[:47] }, ErrBadAnswer},
		{"empty", func(b []byte) []byte { return nil }, ErrBadAnswer},
		{"another nonce", func(b []byte) []byte { b[offOriginate+7]++; return b }, ErrBadAnswer},
		{"a client's packet", func(b []byte) []byte { b[0] = 0x23; return b }, ErrBadAnswer},
		{"no time", func(b []byte) []byte { b[offTransmit] = 0; return b }, ErrBadAnswer},
		{"kiss of death", func(b []byte) []byte { b[offStratum] = 0; return b }, ErrKissOfDeath},
		{"leap unknown", func(b []byte) []byte { b[0] |= 0xc0; return b }, ErrUnsynchronized},
		{"stratum 16", func(b []byte) []byte { b[offStratum] = 16; return b }, ErrUnsynchronized},
		{"far from its source", func(b []byte) []byte { b[offDispersion+1] = 17; return b }, ErrUnsynchronized},
		{"slow path", func(b []byte) []byte { b[offDelay+1] = 33; return b }, ErrUnsynchronized},
	} {
		if _, err := judge(tt.mod(good()), nonce); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add(make([]byte, packetSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var nonce [8]byte
		if len(b) >= packetSize {
			nonce = [8]byte(b[offOriginate:])
		}
		if _, err := judge(b, nonce); err == nil {
			stamp(b[offTransmit:], time.Now())
		}
	})
}
