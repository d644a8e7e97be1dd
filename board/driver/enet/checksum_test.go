package enet_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"ingot.dev/board/driver/enet"
	"ingot.dev/board/driver/enet/enetmodel"
	"ingot.dev/board/nic/nictest"
)

// packet describes a frame with an IP packet whose checksums are zero.
type packet struct {
	v6      bool
	vlan    bool
	proto   byte
	options int    // IPv4: words of options
	flags   uint16 // IPv4: word 6, fragment flags and offset
	payload []byte // behind the IP header
}

func (p packet) frame() []byte {
	f := append(append([]byte(nil), addrB...), addrA...)
	if p.vlan {
		f = append(f, 0x81, 0, 0, 7)
	}
	if p.v6 {
		f = append(f, 0x86, 0xdd, 0x60, 0, 0, 0)
		f = binary.BigEndian.AppendUint16(f, uint16(len(p.payload)))
		f = append(f, p.proto, 64)
		f = append(f, "\xfe\x80\x00\x00\x00\x00\x00\x00\x50\x54\x00\xff\xfe\x12\x34\x56"...)
		f = append(f, "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"...)
		return append(f, p.payload...)
	}
	f = append(f, 8, 0, byte(0x45+p.options), 0)
	f = binary.BigEndian.AppendUint16(f, uint16(20+4*p.options+len(p.payload)))
	f = append(f, 0x12, 0x34)
	f = binary.BigEndian.AppendUint16(f, p.flags)
	f = append(f, 64, p.proto, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2)
	f = append(f, bytes.Repeat([]byte{1}, 4*p.options)...) // no-operations
	return append(f, p.payload...)
}

// segment returns a payload with zero where a protocol has its checksum.
func segment(proto byte, size int) []byte {
	s := make([]byte, size)
	for i := range s {
		s[i] = byte(i*7 + 1)
	}
	if field := map[byte]int{1: 2, 6: 16, 17: 6, 58: 2}[proto]; field > 0 && size >= field+2 {
		s[field], s[field+1] = 0, 0
	}
	return s
}

// controllers are the kinds of models that must send the same.
var controllers = map[string]enetmodel.Options{
	"QEMU":     {},
	"hardware": {AllChecksums: true, PHYID: hardwarePHY},
}

// sent returns what leaves when a driver is given a frame.
func sent(t testing.TB, d *enet.Driver, m *enetmodel.Model, f []byte) (got []byte) {
	t.Helper()
	m.OnSend(func(f []byte) { got = f })
	slot := d.TxSlot()
	if slot == nil {
		t.Fatal("no slot")
	}
	d.CommitTx(copy(slot, f))
	d.FlushTx()
	return got
}

func TestTxChecksums(t *testing.T) {
	for name, o := range controllers {
		t.Run(name, func(t *testing.T) {
			d, m := single(t, o)
			for _, tt := range []struct {
				name string
				packet
			}{
				{"TCP", packet{proto: 6, payload: segment(6, 20)}},
				{"TCP, largest", packet{proto: 6, payload: segment(6, 1480)}},
				{"TCP, IP options", packet{proto: 6, options: 10, payload: segment(6, 33)}},
				{"TCP, VLAN", packet{proto: 6, vlan: true, payload: segment(6, 21)}},
				{"UDP", packet{proto: 17, payload: segment(17, 300)}},
				{"don't fragment", packet{proto: 17, flags: 0x4000, payload: segment(17, 300)}},
				{"ping", packet{proto: 1, payload: segment(1, 64)}},
				{"ping, odd", packet{proto: 1, payload: segment(1, 63)}},
				{"ping, VLAN", packet{proto: 1, vlan: true, payload: segment(1, 64)}},
				{"ping, IP options", packet{proto: 1, options: 3, payload: segment(1, 64)}},
				{"IGMP", packet{proto: 2, payload: segment(2, 8)}},
				{"TCP over IPv6", packet{v6: true, proto: 6, payload: segment(6, 1460)}},
				{"TCP over IPv6, VLAN", packet{v6: true, vlan: true, proto: 6, payload: segment(6, 1460)}},
				{"UDP over IPv6", packet{v6: true, proto: 17, payload: segment(17, 77)}},
				{"neighbour solicitation", packet{v6: true, proto: 58, payload: segment(58, 24)}},
				{"neighbour solicitation, VLAN", packet{v6: true, vlan: true, proto: 58, payload: segment(58, 24)}},
				{"ping over IPv6, odd", packet{v6: true, proto: 58, payload: segment(58, 1459)}},
			} {
				f := tt.frame()
				got := sent(t, d, m, f)
				if !nictest.ChecksumsOK(got) {
					t.Errorf("%s: wrong checksums:\n%x", tt.name, got)
				}
				nictest.InsertChecksums(f)
				if !bytes.HasPrefix(got, f) {
					t.Errorf("%s:\ngot  %x\nwant %x", tt.name, got, f)
				}
			}
		})
	}
}

// An UDP checksum of zero is sent as its other form: zero says that there is none.
func TestTxChecksumZero(t *testing.T) {
	for name, o := range controllers {
		for _, v6 := range []bool{false, true} {
			d, m := single(t, o)
			p := packet{v6: v6, proto: 17, payload: segment(17, 12)}
			f := p.frame()
			nictest.InsertChecksums(f)
			field := len(f) - 12 + 6
			// What the checksum was goes into the payload: then it is zero.
			copy(p.payload[10:], []byte{0, 0})
			f = p.frame()
			nictest.InsertChecksums(f)
			copy(p.payload[10:], f[field:field+2])
			got := sent(t, d, m, p.frame())
			if !bytes.Equal(got[field:field+2], []byte{0xff, 0xff}) || !nictest.ChecksumsOK(got) {
				t.Errorf("%s, IPv6 %v: checksum %x", name, v6, got[field:field+2])
			}
		}
	}
}

// What has no checksum to insert, or one that the sender inserted, leaves as it
// is but for the IPv4 header.
func TestTxChecksumsLeftAlone(t *testing.T) {
	short := func(f []byte, n int) []byte { return f[:len(f)-n] }
	other := frame(60, 1)
	other[14] = 0x45 // QEMU would take it for IPv4
	for _, tt := range []struct {
		name string
		f    []byte
	}{
		{"first fragment", packet{proto: 17, flags: 0x2000, payload: segment(0, 200)}.frame()},
		{"last fragment", packet{proto: 17, flags: 0x0005, payload: segment(0, 200)}.frame()},
		{"TCP fragment", packet{proto: 6, flags: 0x2000, payload: segment(0, 200)}.frame()},
		{"ping fragment", packet{proto: 1, flags: 0x2005, payload: segment(0, 200)}.frame()},
		{"MLD behind hop-by-hop options", packet{v6: true, proto: 0, payload: append([]byte{58, 0, 5, 2, 0, 0, 1, 0}, segment(0, 28)...)}.frame()},
		{"fragment over IPv6", packet{v6: true, proto: 44, payload: append([]byte{17, 0, 0, 1, 0, 0, 0, 1}, segment(0, 100)...)}.frame()},
		{"cut short", short(packet{v6: true, proto: 58, payload: segment(0, 100)}.frame(), 1)},
		{"ping, cut short", short(packet{proto: 1, payload: segment(0, 100)}.frame(), 1)},
		{"no room for a checksum", packet{v6: true, proto: 58, payload: segment(0, 3)}.frame()},
		{"ARP", append(append(append([]byte(nil), addrB...), addrA...), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)},
		{"another type", other},
		{"a header alone", frame(60, 1)[:14]},
		{"tag alone", append(append(append([]byte(nil), addrB...), addrA...), 0x81, 0, 0, 7, 8, 0)},
	} {
		for name, o := range controllers {
			d, m := single(t, o)
			want := bytes.Clone(tt.f)
			if binary.BigEndian.Uint16(want[12:]) == 0x0800 {
				nictest.InsertChecksums(want) // the header's alone
			}
			got := sent(t, d, m, tt.f)
			if !bytes.HasPrefix(got, want) {
				t.Errorf("%s, %s:\ngot  %x\nwant %x", tt.name, name, got, want)
			}
		}
	}
}

// FuzzTxChecksums sends any packet through both kinds of controllers: what
// leaves has the right checksums, and nothing else is changed.
func FuzzTxChecksums(f *testing.F) {
	for _, proto := range []byte{0, 1, 6, 17, 58} {
		f.Add(false, false, proto, byte(0), uint16(0), make([]byte, 30))
		f.Add(true, true, proto, byte(0), uint16(0), make([]byte, 31))
		f.Add(false, true, proto, byte(2), uint16(0x2000), make([]byte, 32))
	}
	type pair struct {
		d *enet.Driver
		m *enetmodel.Model
	}
	var pairs []pair
	for _, o := range controllers {
		m := newModel(f, o)
		pairs = append(pairs, pair{open(f, m, enet.Options{LinkInterval: time.Hour}), m})
	}
	f.Fuzz(func(t *testing.T, v6, vlan bool, proto, options byte, flags uint16, payload []byte) {
		if len(payload) < 20 || len(payload) > 1400 {
			return
		}
		p := packet{v6: v6, vlan: vlan, proto: proto, options: int(options % 11), flags: flags, payload: bytes.Clone(payload)}
		if v6 || flags&0x3fff == 0 {
			if field := map[byte]int{1: 2, 6: 16, 17: 6, 58: 2}[proto]; field > 0 {
				p.payload[field], p.payload[field+1] = 0, 0
			}
		}
		want := p.frame()
		nictest.InsertChecksums(want)
		for _, x := range pairs {
			if got := sent(t, x.d, x.m, p.frame()); !bytes.HasPrefix(got, want) {
				t.Fatalf("\ngot  %x\nwant %x", got, want)
			}
		}
	})
}
