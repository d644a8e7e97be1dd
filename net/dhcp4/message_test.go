package dhcp4

import (
	"bytes"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// What the client says, as another implementation understands it.
func TestMessagesUnderstood(t *testing.T) {
	k := &client{Config: Config{HardwareAddr: hw, Hostname: "ingot"}, xid: [4]byte{1, 2, 3, 4}, start: time.Now().Add(-1500 * time.Millisecond)}
	m := k.message(request)
	m.options[optRequestedAddr] = address.AsSlice()
	m.options[optServer] = server.AsSlice()
	d := theirs(t, m)
	if d.OpCode != dhcpv4.OpcodeBootRequest || d.HWType != 1 || !bytes.Equal(d.ClientHWAddr, hw) || d.TransactionID != k.xid ||
		d.NumSeconds != 1 || !d.IsBroadcast() || !d.ClientIPAddr.IsUnspecified() || !d.YourIPAddr.IsUnspecified() ||
		!d.ServerIPAddr.IsUnspecified() || !d.GatewayIPAddr.IsUnspecified() || d.HopCount != 0 {
		t.Errorf("%v", d.Summary())
	}
	if size, err := d.MaxMessageSize(); err != nil || size != 1500 {
		t.Errorf("maximum size %d, %v", size, err)
	}
	if d.MessageType() != dhcpv4.MessageTypeRequest || d.HostName() != "ingot" ||
		!d.RequestedIPAddress().Equal(address.AsSlice()) || !d.ServerIdentifier().Equal(server.AsSlice()) ||
		!bytes.Equal(d.Options.Get(dhcpv4.OptionClientIdentifier), append([]byte{1}, hw...)) {
		t.Errorf("%v", d.Summary())
	}
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionNTPServers} {
		if !d.IsOptionRequested(code) {
			t.Errorf("%v is not asked for", code)
		}
	}

	m = k.message(request)
	m.client, m.broadcast = address, false
	if d := theirs(t, m); d.IsBroadcast() || !d.ClientIPAddr.Equal(address.AsSlice()) {
		t.Errorf("renewing: %v", d.Summary())
	}
}

// The bytes of a message, by the figure of RFC 2131.
func TestEncode(t *testing.T) {
	m := &message{op: 1, xid: [4]byte{0xa, 0xb, 0xc, 0xd}, secs: 0x102, broadcast: true, client: netip.MustParseAddr("1.2.3.4"),
		hw: hw, options: options{optServer: {9, 8, 7, 6}, optMessageType: {3}}}
	b := m.encode()
	if len(b) != 300 {
		t.Fatalf("%d bytes, want BOOTP's 300", len(b))
	}
	want := make([]byte, 300)
	copy(want, "\x01\x01\x06\x00\x0a\x0b\x0c\x0d\x01\x02\x80\x00\x01\x02\x03\x04")
	copy(want[28:], hw)
	copy(want[236:], "\x63\x82\x53\x63\x35\x01\x03\x36\x04\x09\x08\x07\x06\xff")
	if !bytes.Equal(b, want) {
		t.Errorf("\ngot  %x\nwant %x", b, want)
	}
}

// Values longer than an option are cut and put together, by both sides.
func TestLongOptions(t *testing.T) {
	for _, size := range []int{0, 1, 254, 255, 256, 510, 511, 1000} {
		value := bytes.Repeat([]byte("0123456"), 200)[:size]
		m := (&client{Config: Config{HardwareAddr: hw}}).message(request)
		m.options[optHostname] = value
		got, err := decode(m.encode())
		if err != nil || !bytes.Equal(got.options[optHostname], value) {
			t.Errorf("%d bytes: ours: %d bytes, %v", size, len(got.options[optHostname]), err)
		}
		d := theirs(t, m)
		if !bytes.Equal(d.Options.Get(dhcpv4.OptionHostName), value) {
			t.Errorf("%d bytes: theirs: %x", size, d.Options.Get(dhcpv4.OptionHostName))
		}
		if got, err := decode(d.ToBytes()); err != nil || !bytes.Equal(got.options[optHostname], value) {
			t.Errorf("%d bytes: from theirs: %v", size, err)
		}
	}
}

// raw returns a message whose fields for options have the given content.
func raw(field, file, sname string) []byte {
	m := &message{op: opReply, hw: hw, options: options{}}
	b := append(m.encode()[:offOption], field...)
	copy(b[offFile:offCookie], file)
	copy(b[offSName:offFile], sname)
	return b
}

func TestDecodeOptions(t *testing.T) {
	for _, tt := range []struct {
		name               string
		field, file, sname string
		want               options
		err                string
	}{
		{name: "none", want: options{}},
		{name: "end", field: "\xff", want: options{}},
		{name: "behind the end", field: "\xff\x0c\x01a", want: options{}},
		{name: "padding", field: "\x00\x00\x0c\x01a\x00\xff", want: options{12: []byte("a")}},
		{name: "without end", field: "\x0c\x01a", want: options{12: []byte("a")}},
		{name: "empty", field: "\x0c\x00\xff", want: options{12: nil}},
		{name: "no length", field: "\x0c", err: "option 12 is cut short"},
		{name: "cut short", field: "\x0c\x02a", err: "option 12 is cut short"},
		{name: "in parts", field: "\x0c\x01a\x36\x01x\x0c\x02bc\xff", want: options{12: []byte("abc"), 0x36: []byte("x")}},
		{name: "overload file", field: "\x34\x01\x01\xff", file: "\x0c\x01a\xff", sname: "\x0c\x01b\xff", want: options{12: []byte("a"), 52: {1}}},
		{name: "overload sname", field: "\x34\x01\x02\xff", file: "\x0c\x01a\xff", sname: "\x0c\x01b\xff", want: options{12: []byte("b"), 52: {2}}},
		{name: "overload both, in order", field: "\x0c\x01x\x34\x01\x03\xff", file: "\x0c\x01a\xff", sname: "\x0c\x01b\xff", want: options{12: []byte("xab"), 52: {3}}},
		{name: "no overload", field: "\xff", file: "\x0c\x01a\xff", want: options{}},
		{name: "full file", field: "\x34\x01\x01", file: "\x0c\x7e" + strings.Repeat("f", 126), want: options{12: bytes.Repeat([]byte("f"), 126), 52: {1}}},
		{name: "beyond file", field: "\x34\x01\x01", file: "\x0c\x7f" + strings.Repeat("f", 126), err: "file: option 12 is cut short"},
		{name: "beyond sname", field: "\x34\x01\x02", sname: "\x0c\x3f" + strings.Repeat("f", 62), err: "sname: option 12 is cut short"},
		{name: "overload 0", field: "\x34\x01\x00", want: options{52: {0}}},
		{name: "overload 4", field: "\x34\x01\x04", err: "option overload of 04"},
		{name: "overload of two bytes", field: "\x34\x02\x01\x02", err: "option overload of 0102"},
	} {
		msg := raw(tt.field, tt.file, tt.sname)
		before := bytes.Clone(msg)
		m, err := decode(msg)
		if !bytes.Equal(msg, before) {
			t.Errorf("%s: the message was written to", tt.name)
		}
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if !maps.EqualFunc(m.options, tt.want, bytes.Equal) {
			t.Errorf("%s: %v, want %v", tt.name, m.options, tt.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, change := range map[string]func(b []byte) []byte{
		"short":          func(b []byte) []byte { return b[:offOption-1] },
		"empty":          func(b []byte) []byte { return nil },
		"long":           func(b []byte) []byte { return append(b, make([]byte, messageMax)...) },
		"cookie":         func(b []byte) []byte { b[offCookie]++; return b },
		"type":           func(b []byte) []byte { b[offHType] = 6; return b },
		"address length": func(b []byte) []byte { b[offHLen] = 16; return b },
	} {
		if m, err := decode(change(raw("\xff", "", ""))); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if _, err := decode(raw("\xff", "", "")); err != nil {
		t.Error(err)
	}
}

// Options in all three places make one lease.
func TestOverloadedReply(t *testing.T) {
	m := (&client{Config: Config{HardwareAddr: hw}, xid: [4]byte{1, 2, 3, 4}}).message(request)
	whole := replyTo(theirs(t, m), dhcpv4.MessageTypeAck)
	want, err := parseReply(whole, m.xid, hw)
	if err != nil {
		t.Fatal(err)
	}
	// All but the type move to file and sname in turn.
	d, _ := decode(whole)
	b := append(bytes.Clone(whole[:offOption]), optOverload, 1, 3, optMessageType, 1, byte(ack), optEnd)
	fields := []int{offFile, offSName}
	for i, code := range slices.Sorted(maps.Keys(d.options)) {
		if code == optMessageType {
			continue
		}
		at := &fields[i%2]
		*at += copy(b[*at:], appendOption(nil, code, d.options[code]))
	}
	for _, at := range fields {
		b[at] = optEnd
	}
	got, err := parseReply(b, m.xid, hw)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(raw("\x35\x01\x05\x34\x01\x03\xff", "\x0c\x01a\xff", "\x0c\x01b\xff"))
	f.Add(raw("\x0c\x01a\x00\x0c\x02bc\xff", "", ""))
	f.Add((&client{Config: Config{HardwareAddr: hw, Hostname: "ingot"}}).message(discover).encode())
	f.Fuzz(func(t *testing.T, msg []byte) {
		before := bytes.Clone(msg)
		m, err := decode(msg)
		if !bytes.Equal(msg, before) {
			t.Fatal("the message was written to")
		}
		if err != nil {
			return
		}
		total := 0
		for code, v := range m.options {
			if code == optPad || code == optEnd {
				t.Fatalf("option %d", code)
			}
			total += 2 + len(v)
		}
		if total > len(msg) {
			t.Fatalf("%d bytes of options out of %d", total, len(msg))
		}

		// The other implementation agrees, as far as it goes: it doesn't know
		// overload, and wants an end.
		d, err := dhcpv4.FromBytes(msg)
		if err == nil && m.options[optOverload] == nil {
			if d.TransactionID != m.xid || !bytes.Equal(d.ClientHWAddr, m.hw) || byte(d.OpCode) != m.op || d.IsBroadcast() != m.broadcast ||
				!d.YourIPAddr.Equal(m.your.AsSlice()) || !d.ClientIPAddr.Equal(m.client.AsSlice()) || d.NumSeconds != m.secs {
				t.Fatalf("%v and %+v", d, m)
			}
			if !maps.EqualFunc(d.Options, m.options, bytes.Equal) {
				t.Fatalf("options:\ntheirs %v\nours   %v", d.Options, m.options)
			}
		}

		// What is encoded is decoded to the same, by both.
		again, err := decode(m.encode())
		if err != nil {
			if len(m.encode()) <= messageMax && m.options[optOverload] == nil {
				t.Fatal(err)
			}
			return
		}
		if m.options[optOverload] == nil && !maps.EqualFunc(again.options, m.options, bytes.Equal) {
			t.Fatalf("%v became %v", m.options, again.options)
		}
		if !slices.Equal(again.hw, m.hw) || again.xid != m.xid || again.your != m.your || again.client != m.client || again.secs != m.secs {
			t.Fatalf("%+v became %+v", m, again)
		}
		if _, err := dhcpv4.FromBytes(m.encode()); err != nil {
			t.Fatalf("they don't understand ours: %v", err)
		}
	})
}
