package ocotp

import (
	"errors"
	"testing"
)

// fuses is the shadow registers; others read 0, as they do in QEMU.
type fuses map[uint32]uint32

func (f fuses) Read32(off uint32) uint32 { return f[off] }

func TestUniqueID(t *testing.T) {
	if id, err := UniqueID(fuses{0x410: 0x89abcdef, 0x420: 0x01234567}); id != 0x0123456789abcdef || err != nil {
		t.Errorf("%#x, %v", id, err)
	}
	if id, err := UniqueID(fuses{}); !errors.Is(err, ErrBlank) {
		t.Errorf("blank: %#x, %v", id, err)
	}
}

func TestHardwareAddr(t *testing.T) {
	// 00:04:9f:01:02:03 and 00:04:9f:0a:0b:0c.
	both := fuses{0x620: 0x9f010203, 0x630: 0x0b0c0004, 0x640: 0x00049f0a}
	for _, c := range []struct {
		fuses      fuses
		controller int
		want       string // "" for ErrBlank
	}{
		{both, 1, "00:04:9f:01:02:03"},
		{both, 2, "00:04:9f:0a:0b:0c"},
		{fuses{}, 1, ""},
		{fuses{}, 2, ""},
		{fuses{0x620: 1 << 24}, 1, "00:00:01:00:00:00"}, // as good as any: 01 is who makes it
		{fuses{0x620: 1 << 24}, 2, ""},                  // a USB armory: its model is there
		{fuses{0x620: 5, 0x630: 0x0100}, 1, ""},         // a group's
	} {
		got, err := HardwareAddr(c.fuses, c.controller)
		if got.String() != c.want || (c.want == "") != errors.Is(err, ErrBlank) {
			t.Errorf("controller %d of %x: %v, %v; want %q", c.controller, c.fuses, got, err, c.want)
		}
	}
}
