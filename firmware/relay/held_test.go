package relay

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/internal/simnet"
	"ingot.dev/net/inet"
)

// holder keeps what is written, but for the first time, until it is told to send it.
type holder struct {
	net.Conn
	begun bool
	held  []byte
}

func (h *holder) Write(p []byte) (int, error) {
	if !h.begun {
		h.begun = true
		return h.Conn.Write(p)
	}
	h.held = append(h.held, p...)
	return len(p), nil
}

// TestWordsWithTheHandshake: what a client says in the segment that ends its handshake is
// passed on, although nothing more comes that would tell of it.
func TestWordsWithTheHandshake(t *testing.T) {
	wire, err := simnet.Open(t.Context(), nictest.WireOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wire.Close() })
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, func(c net.Conn) { io.Copy(c, c) })
	r := servicetest.New(t)
	r.Net = between{wire.Server, inet.Host()}
	service, err := Terminate(TerminateOptions{Options: endpoint.Options{Listen: ":8883"}, To: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	r.Serve(t, service)

	raw, err := wire.Client.DialContext(t.Context(), "tcp", simnet.ServerAddress+":8883")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(servicetest.Patience))
	h := &holder{Conn: raw}
	c := tls.Client(h, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	const words = "CONNECT"
	if _, err := io.WriteString(c, words); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Write(h.held); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len(words))
	if _, err := io.ReadFull(c, back); err != nil || string(back) != words {
		t.Fatalf("%q came back: %v", back, err)
	}
}
