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

func FuzzParse(f *testing.F) {
	q := dnsmessage.Question{Name: name("device.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	good := answer(dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{q}},
		alias("device.example.", "x.example."), a("x.example.", "192.0.2.1"))
	b, err := good.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		addrs, truncated, err := parse(b, 7, q)
		if (err != nil || truncated) && len(addrs) > 0 {
			t.Errorf("%v with %v", addrs, err)
		}
		for _, a := range addrs {
			if !a.Is4() {
				t.Errorf("an A record gave %v", a)
			}
		}
	})
}
