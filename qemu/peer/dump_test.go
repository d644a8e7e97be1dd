package peer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func dump(order binary.AppendByteOrder, link uint32, packets ...[]byte) []byte {
	b := order.AppendUint32(nil, pcapMagic)
	b = append(b, make([]byte, 16)...)
	b = order.AppendUint32(b, link)
	for i, p := range packets {
		for _, v := range []uint32{uint32(i), uint32(i) * 10, uint32(len(p)), uint32(len(p)) + 1000} {
			b = order.AppendUint32(b, v)
		}
		b = append(b, p...)
	}
	return b
}

func TestReadDump(t *testing.T) {
	frames := [][]byte{[]byte("one"), {}, bytes.Repeat([]byte("x"), dumped)}
	want := []string{"0s one 1003", "1.00001s  1000", "2.00002s " + strings.Repeat("x", dumped) + " 1096"}
	little := dump(binary.LittleEndian, ethernetFrames, frames...)
	for name, tt := range map[string]struct {
		dump []byte
		want []string // nil: an error
	}{
		"little-endian":     {little, want},
		"big-endian":        {dump(binary.BigEndian, ethernetFrames, frames...), want},
		"empty":             {little[:pcapHeader], []string{}},
		"cut in a header":   {little[:pcapHeader+packetHeader+3+5], want[:1]},
		"cut in a frame":    {little[:len(little)-1], want[:2]},
		"cut in the header": {little[:20], nil},
		"nothing":           {nil, nil},
		"no dump":           {bytes.Repeat([]byte("no"), 100), nil},
		"not Ethernet":      {dump(binary.LittleEndian, 113), nil},
		"longer frames":     {dump(binary.LittleEndian, ethernetFrames, make([]byte, dumped+1)), nil},
	} {
		got := []string{}
		err := ReadDump(bytes.NewReader(tt.dump), func(at time.Duration, head []byte, length int) {
			got = append(got, fmt.Sprintf("%v %s %d", at, head, length))
		})
		if (err != nil) != (tt.want == nil) || err == nil && !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestDumpArgs(t *testing.T) {
	if args := strings.Join(DumpArgs("/tmp/a,b"), " "); !strings.Contains(args, "file=/tmp/a,,b") || !strings.Contains(args, "netdev=net0,") {
		t.Error(args)
	}
}
