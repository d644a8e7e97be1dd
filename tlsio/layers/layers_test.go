package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/internal/tlsiotest"
)

const limit = time.Minute

// TestHTTP serves pages on a TLSListener and fetches them with a TLS instance
// below net/http's client; then the same in the clear.
//
//conform:ecma-419 HTTPClient differs tlsio.TLS.NetConn, tlsio.Dial, tlsio.TCP.NetConn -- no class: net/http's client, whose connections are made by Dial or of instances by NetConn
//conform:ecma-419 HTTPServer differs tlsio.TLSListener.NetListener, tlsio.Listen, tlsio.Listener.NetListener -- no class: net/http's server on a net.Listener, which Listen returns, or NetListener makes of a listener
//conform:ecma-419 HTTPRoutes differs tlsio.TLSListener.NetListener -- no classes: net/http's ServeMux and FileServerFS
func TestHTTP(t *testing.T) {
	for _, secured := range []bool{true, false} {
		t.Run(fmt.Sprint("secured ", secured), func(t *testing.T) {
			app := tlsiotest.Run(t, tlsiotest.Network(t))
			ca := certstest.NewCA(t, certstest.Template{})
			id := ca.Issue(certstest.Template{Names: []string{"device.test"}})
			var ln net.Listener
			var port int
			if secured {
				l, err := tlsio.NewTLSListener(app, tlsio.TLSListenerOptions{Address: "127.0.0.1",
					TLS: tlsio.TLSOptions{ServerCertificate: [][]byte{id.DER}, ServerKey: [][]byte{id.KeyDER}, ApplicationLayerProtocol: []string{"http/1.1"}}})
				if err != nil {
					t.Fatal(err)
				}
				port, _ = l.Port()
				if ln, err = l.NetListener(); err != nil {
					t.Fatal(err)
				}
			} else {
				l, err := tlsio.NewListener(app, tlsio.ListenerOptions{Address: "127.0.0.1"})
				if err != nil {
					t.Fatal(err)
				}
				port, _ = l.Port()
				if ln, err = l.NetListener(); err != nil {
					t.Fatal(err)
				}
			}
			mux := http.NewServeMux()
			mux.Handle("/static/", http.StripPrefix("/static/", http.FileServerFS(fstest.MapFS{"index.html": {Data: []byte("<h1>21 degrees</h1>")}})))
			mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Errorf("request's body: %v", err)
				}
				w.Write(body)
			})
			server := &http.Server{Handler: mux}
			served := make(chan error, 1)
			go func() { served <- server.Serve(ln) }()
			defer func() {
				server.Close()
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Errorf("Serve: %v", err)
				}
			}()

			dials := 0
			dial := func(ctx context.Context, _, addr string) (net.Conn, error) {
				dials++
				if !secured {
					sock, err := tlsio.NewTCP(app, tlsio.TCPOptions{Address: "127.0.0.1", Port: port})
					if err != nil {
						return nil, err
					}
					return sock.NetConn(ctx)
				}
				sock, err := tlsio.NewTLS(app, tlsio.TLSClientOptions{Address: "127.0.0.1", Port: port,
					TLS: tlsio.TLSOptions{Host: "device.test", CA: [][]byte{ca.DER()}, ApplicationLayerProtocol: []string{"http/1.1"}}})
				if err != nil {
					return nil, err
				}
				return sock.NetConn(ctx)
			}
			transport := &http.Transport{DialContext: dial, DialTLSContext: dial}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: limit}
			base := map[bool]string{true: "https", false: "http"}[secured] + "://device.test:" + strconv.Itoa(port)

			resp, err := client.Get(base + "/static/")
			if err != nil {
				t.Fatal(err)
			}
			page, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != 200 || string(page) != "<h1>21 degrees</h1>" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s, %q, %v", resp.Status, page, err)
			}
			body := strings.Repeat("0123456789abcdef", 20000)
			for range 3 {
				resp, err := client.Post(base+"/echo", "text/plain", struct{ io.Reader }{strings.NewReader(body)}) // chunked
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(got) != body {
					t.Errorf("echo of %d bytes, %v", len(got), err)
				}
			}
			if resp, err := client.Get(base + "/none"); err != nil || resp.StatusCode != 404 {
				t.Errorf("%v, %v", resp, err)
			} else {
				resp.Body.Close()
			}
			if dials != 1 {
				t.Errorf("%d connections, want one that is kept", dials)
			}
		})
	}
}
