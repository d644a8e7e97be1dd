package nictest_test

import (
	"encoding/hex"
	"testing"

	"ingot.dev/board/nic/nictest"
)

// Frames with right checksums, worked out by hand after RFC 1071.
var frames = map[string]string{
	// 192.168.0.1 > 192.168.0.199, UDP 53 > 4096, 2 bytes "hi"
	"udp": "ffffffffffff020000000001" + "0800" +
		"4500001e0000000040" + "11" + "f8b6" + "c0a80001c0a800c7" +
		"00351000000a" + "0523" + "6869",
	"arp": "ffffffffffff020000000001" + "0806" + "0001080006040001",
}

func TestChecksumsKnown(t *testing.T) {
	for name, text := range frames {
		frame, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if !nictest.ChecksumsOK(frame) {
			t.Errorf("%s: right checksums are called wrong", name)
		}
	}
}

// Every bit of an IP packet is covered by one of the checksums, so flipping any
// must be noticed, but for those that turn the packet into something without
// checksum.
func TestChecksumsNoticeCorruption(t *testing.T) {
	frame, _ := hex.DecodeString(frames["udp"])
	noticed := 0
	for bit := 14 * 8; bit < len(frame)*8; bit++ {
		frame[bit/8] ^= 1 << (bit % 8)
		if !nictest.ChecksumsOK(frame) {
			noticed++
		}
		frame[bit/8] ^= 1 << (bit % 8)
	}
	if total := (len(frame) - 14) * 8; noticed < total*9/10 {
		t.Errorf("%d of %d corrupted bits noticed", noticed, total)
	}
}

func TestInsertChecksums(t *testing.T) {
	want := frames["udp"]
	frame, _ := hex.DecodeString(want)
	frame[24], frame[25] = 0, 0
	frame[40], frame[41] = 0, 0
	nictest.InsertChecksums(frame)
	if got := hex.EncodeToString(frame); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzChecksums(f *testing.F) {
	for _, text := range frames {
		frame, _ := hex.DecodeString(text)
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) > 2048 {
			return
		}
		nictest.ChecksumsOK(frame)
		before := len(frame)
		nictest.InsertChecksums(frame)
		if len(frame) != before {
			t.Fatal("length changed")
		}
	})
}
