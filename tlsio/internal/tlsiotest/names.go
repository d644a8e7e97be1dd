package tlsiotest

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Zone is what a name server knows: addresses by name, comma between several. The name of
// "refuse" is refused and that of "silent" not answered; all others don't exist.
type Zone map[string]string

// Serve is a name server on a free port of 127.0.0.1; it returns where. It counts queries,
// unless asked is nil.
func (z Zone) Serve(t testing.TB, asked *atomic.Int32) (addr string) {
	t.Helper()
	return Answer(t, func(query []byte) []byte {
		if asked != nil {
			asked.Add(1)
		}
		var m dnsmessage.Message
		if err := m.Unpack(query); err != nil {
			t.Errorf("query: %v", err)
			return nil
		}
		q := m.Questions[0]
		m.Response, m.RecursionAvailable = true, true
		m.Additionals = nil
		text, ok := z[strings.TrimSuffix(q.Name.String(), ".")]
		switch {
		case text == "silent":
			return nil
		case text == "refuse":
			m.RCode = dnsmessage.RCodeRefused
		case !ok:
			m.RCode = dnsmessage.RCodeNameError
		}
		for a := range strings.SplitSeq(text, ",") {
			ip, err := netip.ParseAddr(a)
			if err != nil {
				continue
			}
			h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
			if ip.Is4() && q.Type == dnsmessage.TypeA {
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: ip.As4()}})
			} else if ip.Is6() && q.Type == dnsmessage.TypeAAAA {
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
			}
		}
		p, err := m.Pack()
		if err != nil {
			t.Errorf("answer: %v", err)
			return nil
		}
		return p
	})
}
