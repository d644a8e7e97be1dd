package layers

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/internal/tlsiotest"
)

// site is a TLS listener with what clients need to reach it.
func site(t *testing.T) (ln net.Listener, client tlsio.TLSOptions) {
	t.Helper()
	ca := certstest.NewCA(t, certstest.Template{})
	id := ca.Issue(certstest.Template{Names: []string{"site.test"}})
	ln, err := tlsio.Listen(t.Context(), tlsiotest.Network(t), "127.0.0.1:0", tlsio.TLSOptions{
		ServerCertificate: [][]byte{id.DER}, ServerKey: [][]byte{id.KeyDER}, ApplicationLayerProtocol: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln, tlsio.TLSOptions{Host: "site.test", Roots: ca.Pool()}
}

// serveWebSocket serves one page, which echoes one frame.
func serveWebSocket(t *testing.T, ln net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-WebSocket-Protocol") != "echo" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: echo\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			acceptKey(r.Header.Get("Sec-WebSocket-Key")))
		payload, err := readFrame(buffered.Reader)
		if err != nil {
			t.Errorf("server's frame: %v", err)
			return
		}
		c.Write(append([]byte{0x81, byte(len(payload))}, payload...))
	})
	s := &http.Server{Handler: mux}
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
}

// acceptKey is RFC 6455 section 4.2.2's answer.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// readFrame reads a short frame, masked or not (RFC 6455 section 5.2).
func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	mask := make([]byte, 4)
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, mask); err != nil {
			return nil, err
		}
	}
	payload := make([]byte, head[1]&0x7f)
	_, err := io.ReadFull(r, payload)
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return payload, err
}

// TestWebSocket upgrades a connection of net/http's and exchanges frames on it; the
// client begins with the class TLS and goes on with its NetConn.
//
//conform:ecma-419 WebSocketClient differs tlsio.TLS.NetConn, tlsio.Dial -- no class: the handshake and a WebSocket module's frames on the connection
func TestWebSocket(t *testing.T) {
	ln, options := site(t)
	serveWebSocket(t, ln)
	app := tlsiotest.Run(t, tlsiotest.Network(t))
	addr := ln.Addr().(*net.TCPAddr)
	sock, err := tlsio.NewTLS(app, tlsio.TLSClientOptions{Address: addr.IP.String(), Port: addr.Port, TLS: options})
	if err != nil {
		t.Fatal(err)
	}
	c, err := sock.NetConn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: site.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: echo\r\nSec-WebSocket-Key: %s\r\n\r\n", key)
	in := bufio.NewReader(c)
	r, err := http.ReadResponse(in, nil)
	if err != nil || r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("handshake: %v, %+v", err, r)
	}
	text := "hello"
	frame := []byte{0x81, 0x80 | byte(len(text)), 1, 2, 3, 4}
	for i := range len(text) {
		frame = append(frame, text[i]^byte(i%4+1))
	}
	c.Write(frame)
	if got, err := readFrame(in); string(got) != text || err != nil {
		t.Errorf("echo %q, %v", got, err)
	}
}

// TestMQTT connects as an MQTT 3.1.1 client does (CONNECT, CONNACK, PUBLISH), with
// the class TLS alone.
//
//conform:ecma-419 MQTTClient differs tlsio.TLS, tlsio.Dial -- no class: an MQTT module on the connection, or packets on the class
func TestMQTT(t *testing.T) {
	ln, options := site(t)
	published := make(chan string, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for {
			head := make([]byte, 2)
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			body := make([]byte, head[1])
			if _, err := io.ReadFull(c, body); err != nil {
				return
			}
			switch head[0] >> 4 {
			case 1:
				c.Write([]byte{0x20, 2, 0, 0})
			case 3:
				published <- string(body[2:])
			}
		}
	}()
	app := tlsiotest.Run(t, tlsiotest.Network(t))
	addr := ln.Addr().(*net.TCPAddr)
	packet := func(kind byte, body string) []byte { return append([]byte{kind, byte(len(body))}, body...) }
	sock, err := tlsio.NewTLS(app, tlsio.TLSClientOptions{
		Address: addr.IP.String(), Port: addr.Port, TLS: options,
		OnWritable: func(s *tlsio.TLS, _ int) {
			if s.Target() == nil {
				s.SetTarget("connecting")
				s.Write(packet(0x10, "\x00\x04MQTT\x04\x02\x00\x3c\x00\x05board"))
			}
		},
		OnReadable: func(s *tlsio.TLS, n int) {
			if n < 4 {
				return // the rest is to come
			}
			if p, _ := s.Read(4); string(p) == "\x20\x02\x00\x00" {
				s.Write(packet(0x30, "\x00\x04room21"))
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	select {
	case got := <-published:
		if !strings.HasPrefix(got, "room") {
			t.Errorf("published %q", got)
		}
	case <-time.After(limit):
		t.Fatal("nothing was published")
	}
}
