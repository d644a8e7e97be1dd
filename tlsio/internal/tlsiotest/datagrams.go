package tlsiotest

import "testing"

// Answer answers datagrams of up to 512 bytes on a free port of 127.0.0.1, and returns
// where. reply is called by one goroutine; nil is no answer.
func Answer(t testing.TB, reply func(query []byte) []byte) (addr string) {
	t.Helper()
	c, err := Network(t).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if p := reply(buf[:n]); p != nil {
				c.WriteTo(p, from)
			}
		}
	}()
	return c.LocalAddr().String()
}
