package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStrangeNames: whatever a client calls the server, the default identity answers
// or the handshake fails; and the firmware lives on.
func TestStrangeNames(t *testing.T) {
	m := serve(t)
	for _, name := range []string{
		strings.Repeat("a", 255), strings.Repeat("a.", 2000) + "b", strings.Repeat("x", 16_000),
		"local\x00host", "\xff\xfe", "..", "[::1]", "*", "LOCALHOST",
	} {
		config := clientConfig()
		config.ServerName = name
		config.InsecureSkipVerify = true // it is looked at below
		config.NextProtos = []string{strings.Repeat("p", 255)}
		conn := mustConnect(t, m, config)
		if names := conn.ConnectionState().PeerCertificates[0].DNSNames; !slices.Contains(names, "localhost") {
			t.Errorf("asked for %.20q, got a certificate for %q", name, names)
		}
		conn.Close()
	}
	mustEcho(t, mustConnect(t, m, clientConfig()), 1000)
}

// TestEndlessHandshakes sends what never becomes a handshake: each must end with the
// firmware closing the connection.
func TestEndlessHandshakes(t *testing.T) {
	m := serve(t)
	hello := clientHello(t)
	record := func(kind byte, body ...byte) []byte {
		return append([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
	}
	var pieces []byte // a hello of 60,000 bytes in records of 100
	body := make([]byte, 60_000)
	body[0], body[2], body[3] = 1, byte((len(body)-4)>>8), byte((len(body)-4)&0xff)
	for part := range slices.Chunk(body, 100) {
		pieces = append(pieces, record(22, part...)...)
	}
	for name, send := range map[string][]byte{
		"a hello in pieces":       pieces,
		"a hello of 16 MB":        bytes.Repeat(record(22, append([]byte{1, 0xff, 0xff, 0xff}, make([]byte, 8000)...)...), 4),
		"empty records":           bytes.Repeat(record(22), 2000),
		"warnings":                append(slices.Clone(hello), bytes.Repeat(record(21, 1, 90), 200)...),
		"changes of cipher specs": append(slices.Clone(hello), bytes.Repeat(record(20, 1), 200)...),
		"two hellos":              append(slices.Clone(hello), hello...),
	} {
		conn, err := m.DialForward(testContext(t), port)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write(send)
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: %v", name, err)
		}
		conn.Close()
	}
	mustEcho(t, mustConnect(t, m, clientConfig()), 1000)
}

// TestForgedTickets resumes sessions with tickets of which a bit is wrong: they must
// be as good as none.
func TestForgedTickets(t *testing.T) {
	m := serve(t)
	config := clientConfig()
	tickets := &forger{ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	config.ClientSessionCache = tickets
	for i := range 10 {
		tickets.forge = i > 1
		conn := mustConnect(t, m, config)
		mustEcho(t, conn, 100) // reads the next ticket, too
		if resumed, want := conn.ConnectionState().DidResume, i == 1; resumed != want {
			t.Errorf("connection %d: resumed is %v, want %v", i, resumed, want)
		}
		conn.Close()
	}
}

// forger is a session cache that spoils what it returns.
type forger struct {
	tls.ClientSessionCache
	forge bool
}

func (f *forger) Get(key string) (*tls.ClientSessionState, bool) {
	s, ok := f.ClientSessionCache.Get(key)
	if !ok || !f.forge {
		return s, ok
	}
	ticket, state, err := s.ResumptionState()
	if err != nil {
		return nil, false
	}
	ticket = slices.Clone(ticket)
	ticket[len(ticket)/2] ^= 1
	s, err = tls.NewResumptionState(ticket, state)
	return s, err == nil
}
