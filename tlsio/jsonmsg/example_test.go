//go:build !imx6ulevk

package jsonmsg_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"ingot.dev/internal/pki"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/jsonmsg"
)

// identity makes a certificate for a name, its key, and the CA to trust, in DER.
func identity(name string) (cert, key, ca []byte) {
	authority, err := pki.NewAuthority(pki.Template{CommonName: "example CA"})
	if err != nil {
		panic(err)
	}
	server, err := authority.Issue(pki.Template{CommonName: name, DNSNames: []string{name}})
	if err != nil {
		panic(err)
	}
	if key, err = server.KeyDER(); err != nil {
		panic(err)
	}
	return server.DER(), key, authority.DER()
}

func port(ln net.Listener) int {
	_, text, _ := net.SplitHostPort(ln.Addr().String())
	n := 0
	fmt.Sscan(text, &n)
	return n
}

// A server and a client that exchange a message each way.
func Example() {
	ctx := context.Background()
	network := tlsio.HostNetwork{}
	cert, key, ca := identity("hub.test")
	server, err := jsonmsg.NewServer(jsonmsg.ServerOptions{
		TLS:      tlsio.TLSOptions{ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key}},
		Password: "this string is a password, change it",
		OnAuthenticated: func(s *jsonmsg.Server, id uint64, _ *tlsio.Conn) {
			s.Send(id, map[string]string{"welcome": fmt.Sprintf("client %d", id)})
		},
		OnMessage: func(_ *jsonmsg.Server, id uint64, body json.RawMessage) {
			fmt.Printf("server: client %d sent %s\n", id, body)
		},
	})
	if err != nil {
		panic(err)
	}
	ln, err := server.Listen(ctx, network, "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go server.Serve(ln)

	received := make(chan bool)
	client, err := jsonmsg.Dial(ctx, network, jsonmsg.ClientOptions{
		TLS:      tlsio.TLSOptions{CA: [][]byte{ca}},
		Host:     "hub.test",
		Address:  "127.0.0.1",
		Port:     port(ln),
		Password: "this string is a password, change it",
		OnMessage: func(_ *jsonmsg.Client, body json.RawMessage) {
			fmt.Printf("client: the server sent %s\n", body)
			received <- true
		},
	})
	if err != nil {
		panic(err)
	}
	<-received
	client.Send(map[string]any{"temperature": 21.5})
	client.Flush(ctx)
	client.Disconnect()
	// A goodbye comes after all that was sent, so that Shutdown is not too early
	// once the server has seen it.
	for len(server.Clients()) > 0 {
		time.Sleep(time.Millisecond)
	}
	server.Shutdown(ctx)
	// Output:
	// client: the server sent {"welcome":"client 0"}
	// server: client 0 sent {"temperature":21.5}
}

// Requests go both ways. The server's handler asks the client back before it
// answers.
func ExampleClient_Request() {
	ctx := context.Background()
	network := tlsio.HostNetwork{}
	cert, key, ca := identity("hub.test")
	type sum struct{ A, B int }
	server, err := jsonmsg.NewServer(jsonmsg.ServerOptions{
		TLS:      tlsio.TLSOptions{ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key}},
		Password: 12345,
		OnRequest: func(s *jsonmsg.Server, id uint64, body json.RawMessage, r *jsonmsg.Responder) {
			q, err := jsonmsg.Decode[sum](body, nil)
			if err != nil {
				r.Send(map[string]string{"problem": err.Error()})
				return
			}
			unit, err := jsonmsg.Decode[map[string]string](s.Request(ctx, id, map[string]string{"what": "unit"}))
			if err != nil {
				return // the client will get a request timeout
			}
			r.Send(map[string]string{"result": fmt.Sprint(q.A+q.B, " ", unit["unit"])})
		},
	})
	if err != nil {
		panic(err)
	}
	ln, err := server.Listen(ctx, network, "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go server.Serve(ln)
	defer server.Shutdown(ctx)

	client, err := jsonmsg.Dial(ctx, network, jsonmsg.ClientOptions{
		TLS:      tlsio.TLSOptions{CA: [][]byte{ca}},
		Host:     "hub.test",
		Address:  "127.0.0.1",
		Port:     port(ln),
		Password: 12345,
		OnRequest: func(_ *jsonmsg.Client, _ json.RawMessage, r *jsonmsg.Responder) {
			r.Send(map[string]string{"unit": "apples"})
		},
	})
	if err != nil {
		panic(err)
	}
	defer client.Disconnect()
	answer, err := client.Request(ctx, sum{2, 3})
	fmt.Println(string(answer), err)
	// Output: {"result":"5 apples"} <nil>
}

// A client that comes back when its server does, each time a little later, and not
// at the same time as all the others.
func ExampleClientOptions_reconnect() {
	ctx := context.Background()
	network := tlsio.HostNetwork{}
	cert, key, ca := identity("hub.test")
	address := "127.0.0.1:0"
	start := func() (*jsonmsg.Server, int) {
		server, err := jsonmsg.NewServer(jsonmsg.ServerOptions{
			TLS:      tlsio.TLSOptions{ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key}},
			Password: "secret",
		})
		if err != nil {
			panic(err)
		}
		ln, err := server.Listen(ctx, network, address)
		if err != nil {
			panic(err)
		}
		go server.Serve(ln)
		address = ln.Addr().String()
		return server, port(ln)
	}
	server, port := start()
	there, gone := make(chan bool), make(chan bool)
	client, err := jsonmsg.NewClient(network, jsonmsg.ClientOptions{
		TLS:      tlsio.TLSOptions{CA: [][]byte{ca}},
		Host:     "hub.test",
		Address:  "127.0.0.1",
		Port:     port,
		Password: "secret",

		ReconnectInterval:    20 * time.Millisecond,
		MaxReconnectInterval: time.Second,
		ReconnectJitter:      0.3,

		OnAuthenticated: func(*jsonmsg.Client) { there <- true },
		OnClose:         func(*jsonmsg.Client, error) { gone <- true },
	})
	if err != nil {
		panic(err)
	}
	<-there
	fmt.Println("there")
	server.Shutdown(ctx)
	<-gone
	fmt.Println("gone:", client.Send("hello?"))
	server, _ = start()
	<-there
	fmt.Println("there again")
	go client.Disconnect()
	<-gone
	server.Shutdown(ctx)
	// Output:
	// there
	// gone: jsonmsg: not connected or not authenticated
	// there again
}
