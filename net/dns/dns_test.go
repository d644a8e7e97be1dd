package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is a name server of the test: what it answers to a question.
type zone func(q dnsmessage.Message, network string) dnsmessage.Message

// serve answers one query on each connection, over net.Pipe.
func serve(t *testing.T, z zone) Server {
	t.Helper()
	return Server{
		Addr: netip.MustParseAddrPort("192.0.2.53:53"),
		Dial: func(_ context.Context, network string, _ netip.AddrPort) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				b := make([]byte, 1024)
				n, err := server.Read(b)
				if err != nil {
					return
				}
				b = b[:n]
				if network == "tcp" {
					if n != 2+int(binary.BigEndian.Uint16(b)) {
						t.Errorf("query of %d bytes says %d", n, binary.BigEndian.Uint16(b))
					}
					b = b[2:]
				}
				var q dnsmessage.Message
				if err := q.Unpack(b); err != nil {
					t.Errorf("query: %v", err)
					return
				}
				r := z(q, network)
				p, err := r.AppendPack(make([]byte, 2))
				if err != nil {
					t.Errorf("answer: %v", err)
					return
				}
				binary.BigEndian.PutUint16(p, uint16(len(p)-2))
				if network == "udp" {
					p = p[2:]
				}
				server.Write(p)
				io.Copy(io.Discard, server)
			}()
			return client, nil
		},
	}
}

func name(s string) dnsmessage.Name { return dnsmessage.MustNewName(s) }

func answer(q dnsmessage.Message, rs ...dnsmessage.Resource) dnsmessage.Message {
	return dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.ID, Response: true, RecursionAvailable: true},
		Questions: q.Questions, Answers: rs,
	}
}

func a(owner string, addr string) dnsmessage.Resource {
	ip := netip.MustParseAddr(addr)
	h := dnsmessage.ResourceHeader{Name: name(owner), Class: dnsmessage.ClassINET}
	if ip.Is4() {
		h.Type = dnsmessage.TypeA
		return dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: ip.As4()}}
	}
	h.Type = dnsmessage.TypeAAAA
	return dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}}
}

func alias(owner, to string) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: name(owner), Class: dnsmessage.ClassINET, Type: dnsmessage.TypeCNAME},
		Body:   &dnsmessage.CNAMEResource{CNAME: name(to)},
	}
}

func isA(q dnsmessage.Message) bool { return q.Questions[0].Type == dnsmessage.TypeA }

func TestLookup(t *testing.T) {
	const host = "device.example"
	for _, tt := range []struct {
		name string
		z    zone
		want string
		err  error
	}{
		{"IPv4", func(q dnsmessage.Message, _ string) dnsmessage.Message {
			if isA(q) {
				return answer(q, a("device.example.", "192.0.2.1"), a("device.example.", "192.0.2.2"))
			}
			return answer(q)
		}, "192.0.2.1 192.0.2.2", nil},
		{"both", func(q dnsmessage.Message, _ string) dnsmessage.Message {
			if isA(q) {
				return answer(q, a("Device.Example.", "192.0.2.1"))
			}
			return answer(q, a("device.example.", "2001:db8::1"))
		}, "192.0.2.1 2001:db8::1", nil},
		{"alias", func(q dnsmessage.Message, _ string) dnsmessage.Message {
			if isA(q) {
				return answer(q, alias("device.example.", "x.example."), alias("x.example.", "y.example."), a("y.example.", "192.0.2.9"))
			}
			return answer(q, alias("device.example.", "x.example."))
		}, "192.0.2.9", nil},
		{"somebody else's address", func(q dnsmessage.Message, _ string) dnsmessage.Message {
			return answer(q, a("evil.example.", "192.0.2.66"))
		}, "", ErrNoName},
		{"the other type", func(q dnsmessage.Message, _ string) dnsmessage.Message {
			if isA(q) {
				return answer(q, a("device.example.", "2001:db8::66"))
			}
			return answer(q)
		}, "", ErrNoName},
		{"no such name", func(q dnsmessage.Message, _ string) dnsmessage.Message {
			r := answer(q)
			r.RCode = dnsmessage.RCodeNameError
			return r
		}, "", ErrNoName},
		{"refused", func(q dnsmessage.Message, _ string) dnsmessage.Message {
			r := answer(q)
			r.RCode = dnsmessage.RCodeRefused
			return r
		}, "", ErrRefused},
		{"one type fails", func(q dnsmessage.Message, _ string) dnsmessage.Message {
			r := answer(q, a("device.example.", "192.0.2.1"))
			if !isA(q) {
				r.RCode = dnsmessage.RCodeServerFailure
			}
			return r
		}, "192.0.2.1", nil},
		{"truncated", func(q dnsmessage.Message, network string) dnsmessage.Message {
			if network == "udp" {
				r := answer(q)
				r.Truncated = true
				return r
			}
			var rs []dnsmessage.Resource
			for i := range 100 {
				if isA(q) {
					rs = append(rs, a("device.example.", fmt.Sprintf("192.0.2.%d", i)))
				}
			}
			return answer(q, rs...)
		}, "192.0.2.0 ", nil},
		{"truncated over TCP too", func(q dnsmessage.Message, _ string) dnsmessage.Message {
			r := answer(q)
			r.Truncated = true
			return r
		}, "", ErrBadAnswer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addrs, err := serve(t, tt.z).Lookup(t.Context(), host)
			if !errors.Is(err, tt.err) {
				t.Fatalf("%v, want %v", err, tt.err)
			}
			var e *net.DNSError
			if err != nil && (!errors.As(err, &e) || e.Name != host || e.Server != "192.0.2.53:53" || e.IsNotFound != errors.Is(err, ErrNoName)) {
				t.Errorf("%#v", err)
			}
			slices.SortFunc(addrs, netip.Addr.Compare)
			var got []string
			for _, a := range addrs {
				got = append(got, a.String())
			}
			if s := strings.Join(got, " "); tt.name == "truncated" && len(addrs) != 100 || !strings.HasPrefix(s, tt.want) {
				t.Errorf("%q, want %q", s, tt.want)
			}
		})
	}
}

// An answer with another ID, or to another question, is passed over, and the right
// one is waited for.
func TestForged(t *testing.T) {
	server := Server{Addr: netip.MustParseAddrPort("192.0.2.53:53"), Dial: func(context.Context, string, netip.AddrPort) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			b := make([]byte, 512)
			n, _ := server.Read(b)
			var q dnsmessage.Message
			q.Unpack(b[:n])
			send := func(m dnsmessage.Message) {
				p, _ := m.Pack()
				server.Write(p)
			}
			wrong := answer(q, a("device.example.", "192.0.2.66"))
			wrong.ID++
			send(wrong)
			wrong = answer(q, a("device.example.", "192.0.2.66"))
			wrong.Questions = []dnsmessage.Question{{Name: name("other.example."), Type: q.Questions[0].Type, Class: dnsmessage.ClassINET}}
			send(wrong)
			wrong = answer(q, a("device.example.", "192.0.2.66"))
			wrong.Response = false
			send(wrong)
			server.Write([]byte{1, 2, 3})
			if isA(q) {
				send(answer(q, a("device.example.", "192.0.2.1")))
			} else {
				send(answer(q))
			}
		}()
		return client, nil
	}}
	addrs, err := server.Lookup(t.Context(), "device.example.")
	if err != nil || len(addrs) != 1 || addrs[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("%v, %v", addrs, err)
	}
}

func TestBadNames(t *testing.T) {
	s := Server{Dial: func(context.Context, string, netip.AddrPort) (net.Conn, error) {
		t.Error("a server was asked")
		return nil, io.EOF
	}}
	for _, host := range []string{"", ".", "a..b", "white space", "ümlaut.example", strings.Repeat("a", 64) + ".example",
		strings.Repeat("a.", 127) + "aa", "a/b", "[::1]", "a\x00b"} {
		if _, err := s.Lookup(t.Context(), host); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func TestSilentServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := Server{Addr: netip.MustParseAddrPort("192.0.2.53:53"), Dial: func(context.Context, string, netip.AddrPort) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			io.CopyN(io.Discard, server, 20)
			cancel() // the asker gives up
		}()
		return client, nil
	}}
	_, err := s.Lookup(ctx, "device.example")
	var e *net.DNSError
	if !errors.As(err, &e) || e.IsNotFound || !e.IsTimeout {
		t.Errorf("%#v", err)
	}
}

// reference is parse as golang.org/x/net/dns/dnsmessage has it.
func reference(b []byte, id uint16, q question) (addrs []netip.Addr, truncated bool, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || h.ID != id || !h.Response || h.OpCode != 0 {
		return nil, false, ErrBadAnswer
	}
	asked, err := p.AllQuestions()
	if err != nil || len(asked) != 1 || uint16(asked[0].Type) != q.typ || asked[0].Class != dnsmessage.ClassINET ||
		!strings.EqualFold(asked[0].Name.String(), q.name+".") {
		return nil, false, ErrBadAnswer
	}
	switch h.RCode {
	case dnsmessage.RCodeSuccess:
	case dnsmessage.RCodeNameError:
		return nil, false, ErrNoName
	default:
		return nil, false, ErrRefused
	}
	if h.Truncated {
		return nil, true, nil
	}
	names := []string{q.name + "."}
	for {
		r, err := p.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			return addrs, false, nil
		}
		if err != nil {
			return nil, false, ErrBadAnswer
		}
		ours := r.Class == dnsmessage.ClassINET &&
			(strings.EqualFold(r.Name.String(), names[0]) || strings.EqualFold(r.Name.String(), names[len(names)-1]))
		switch {
		case ours && r.Type == dnsmessage.TypeCNAME && len(names) <= maxAliases:
			alias, e := p.CNAMEResource()
			err = e
			names = append(names, alias.CNAME.String())
		case ours && uint16(r.Type) == q.typ && r.Type == dnsmessage.TypeA:
			a, e := p.AResource()
			err = e
			addrs = append(addrs, netip.AddrFrom4(a.A))
		case ours && uint16(r.Type) == q.typ && r.Type == dnsmessage.TypeAAAA:
			a, e := p.AAAAResource()
			err = e
			addrs = append(addrs, netip.AddrFrom16(a.AAAA))
		default:
			err = p.SkipAnswer()
		}
		if err != nil {
			return nil, false, ErrBadAnswer
		}
	}
}

func TestQuery(t *testing.T) {
	for _, q := range []question{{"device.example", typeA}, {"a", typeAAAA}, {strings.Repeat("a.", 126) + "b", typeA}} {
		var m dnsmessage.Message
		if err := m.Unpack(q.query(nil, 0x1234)); err != nil {
			t.Fatal(err)
		}
		if m.ID != 0x1234 || !m.RecursionDesired || m.Response || len(m.Questions) != 1 ||
			m.Questions[0] != (dnsmessage.Question{Name: name(q.name + "."), Type: dnsmessage.Type(q.typ), Class: dnsmessage.ClassINET}) {
			t.Errorf("%v became %v", q, m)
		}
	}
}

// Names by pointers: to a name before, in a chain, and those that lead nowhere.
func TestPointers(t *testing.T) {
	at := func(b string, at int) string {
		m := &message{b: []byte(b), at: at}
		s := m.name()
		if m.bad {
			return "bad"
		}
		return fmt.Sprint(s, " ", m.at)
	}
	for _, tt := range []struct {
		b    string
		at   int
		want string
	}{
		{"\x03www\x00", 0, "www 5"},
		{"\x03org\x00\x03www\xc0\x00!", 5, "www.org 11"},
		{"\x03org\x00\x03www\xc0\x00\x01a\xc0\x05", 11, "a.www.org 15"},
		{"\x03a.b\x00", 0, "a\x00b 5"},
		{"\x00", 0, " 1"},
		{"\xc0\x00", 0, "bad"},
		{"\x01a\xc0\x00", 0, "bad"},
		{"\x01a\xc0\x04\x01b\xc0\x00", 0, "bad"},
		{"\x40", 0, "bad"},
		{"\x05abc", 0, "bad"},
		{"\x03abc", 0, "bad"},
		{"\xc0", 0, "bad"},
		{strings.Repeat("\x3f"+strings.Repeat("a", 63), 4) + "\x00", 0, "bad"},
	} {
		if got := at(tt.b, tt.at); got != tt.want {
			t.Errorf("%q from %d: %q, want %q", tt.b, tt.at, got, tt.want)
		}
	}
}

// FuzzParse compares with the reference, which lets pointers lead forward and refuses
// other nonsense: what both take they understand alike.
func FuzzParse(f *testing.F) {
	q := dnsmessage.Question{Name: name("device.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	ours := question{"device.example", typeA}
	for _, rs := range [][]dnsmessage.Resource{
		{alias("device.example.", "x.example."), a("x.example.", "192.0.2.1")},
		{a("DEVICE.example.", "192.0.2.1"), a("device.example.", "2001:db8::1"), a("other.example.", "192.0.2.2")},
		nil,
	} {
		good := answer(dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{q}}, rs...)
		b, err := good.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		good.RCode = 2
		if b, err = good.Pack(); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		addrs, truncated, err := parse(b, 7, ours)
		if (err != nil || truncated) && len(addrs) > 0 {
			t.Errorf("%v with %v", addrs, err)
		}
		want, wantTruncated, wantErr := reference(b, 7, ours)
		if err == nil && wantErr == nil && (truncated != wantTruncated || !slices.Equal(addrs, want)) {
			t.Errorf("%v, %v, %v; want %v, %v", addrs, truncated, err, want, wantTruncated)
		}
	})
}
