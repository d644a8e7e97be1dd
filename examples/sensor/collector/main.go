// Command collector takes the reports of sensors and prints them, one line of JSON each.
// It admits those that show a certificate of the development authority.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"

	"ingot.dev/tlsio"
	"ingot.dev/tlsio/jsonmsg"
)

func main() {
	dir := flag.String("certs", "certs/host", "`folder` with ca.der, server.der and server-key.der, which 'ingot certs init' makes")
	listen := flag.String("listen", ":8888", "`address` to listen at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *dir, *listen); err != nil {
		stop()
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir, listen string) error {
	c := &collector{out: os.Stdout}
	if err := c.load(dir); err != nil {
		return err
	}
	server, err := c.server()
	if err != nil {
		return err
	}
	l, err := server.Listen(ctx, tlsio.HostNetwork{}, listen)
	if err != nil {
		return err
	}
	log.Print("listening on ", l.Addr())
	return serve(ctx, server, l)
}

// serve serves until ctx ends.
func serve(ctx context.Context, server *jsonmsg.Server, l net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	err := server.Shutdown(context.WithoutCancel(ctx))
	if e := <-ended; !errors.Is(e, jsonmsg.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// collector writes reports to out.
type collector struct {
	ca, cert, key []byte // DER

	mu    sync.Mutex
	out   io.Writer
	names map[uint64]string // of the sensors that are connected
}

// load reads the certificates.
func (c *collector) load(dir string) error {
	for name, to := range map[string]*[]byte{"ca.der": &c.ca, "server.der": &c.cert, "server-key.der": &c.key} {
		der, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		*to = der
	}
	return nil
}

func (c *collector) server() (*jsonmsg.Server, error) {
	c.names = map[uint64]string{}
	return jsonmsg.NewServer(jsonmsg.ServerOptions{
		TLS: tlsio.TLSOptions{
			ServerCertificate: [][]byte{c.cert}, ServerKey: [][]byte{c.key},
			ClientAuth: tlsio.ClientAuthRequire, CA: [][]byte{c.ca},
		},
		NoPassword: true, // the certificate is enough
		OnAuthenticated: func(_ *jsonmsg.Server, id uint64, conn *tlsio.Conn) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.names[id] = conn.State().PeerCertificates[0].Subject.CommonName
		},
		OnRequest: c.keep,
		OnClose: func(_ *jsonmsg.Server, id uint64, _ error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.names, id)
		},
		OnError: func(_ *jsonmsg.Server, id uint64, err error) { log.Printf("sensor %d: %v", id, err) },
		OnRefused: func(_ *jsonmsg.Server, remote net.Addr, err error) {
			log.Printf("refused %v: %v", remote, err)
		},
	})
}

// keep writes a report down and then confirms it. A report that isn't confirmed is the
// sensor's still, and comes again.
func (c *collector) keep(_ *jsonmsg.Server, id uint64, body json.RawMessage, answer *jsonmsg.Responder) {
	c.mu.Lock()
	line, err := json.Marshal(map[string]any{"from": c.names[id], "report": body})
	if err == nil {
		_, err = c.out.Write(append(line, '\n'))
	}
	c.mu.Unlock()
	if err != nil {
		log.Print("a report could not be written down: ", err)
		return
	}
	if err := answer.Send(map[string]bool{"kept": true}); err != nil {
		log.Print("a report could not be confirmed: ", err)
	}
}
