//go:build !imx6ulevk

package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"testing/fstest"
	"time"

	"ingot.dev/internal/pki"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/server"
)

// A server that answers each line.
func Example() {
	s, err := server.New(tlsio.HostNetwork{}, server.Config{
		LocalHost:      "127.0.0.1",
		SingleLineMode: true,
		IdleTimeout:    5 * time.Minute,
	}, server.Handler{
		Connected: func(c *server.Connection, err error) { c.SendLine("welcome, number " + c.ID()) },
		DataIn: func(c *server.Connection, line []byte, eol bool) {
			switch {
			case !eol:
				c.SendLine("line too long")
				c.Disconnect()
			case string(line) == "quit":
				c.Disconnect()
			default:
				c.SendLine("you said " + string(line))
			}
		},
	})
	if err != nil {
		panic(err)
	}
	if err := s.StartListening(context.Background()); err != nil {
		panic(err)
	}
	defer s.Close()

	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		panic(err)
	}
	fmt.Fprint(conn, "hello\nquit\n")
	answer, _ := io.ReadAll(conn)
	fmt.Printf("%q\n", answer)
	// Output: "welcome, number 1\r\nyou said hello\r\n"
}

// identity makes a certificate for the examples; a program has its own, in DER.
func identity(ca *pki.Credential, name string) (cert, key [][]byte, pair tls.Certificate) {
	id, err := ca.Issue(pki.Template{CommonName: name, DNSNames: []string{name}})
	if err != nil {
		panic(err)
	}
	der, err := id.KeyDER()
	if err != nil {
		panic(err)
	}
	return [][]byte{id.DER()}, [][]byte{der}, id.TLS()
}

func authority() (ca *pki.Credential, trusts *x509.CertPool) {
	ca, err := pki.NewAuthority(pki.Template{CommonName: "example CA"})
	if err != nil {
		panic(err)
	}
	trusts = x509.NewCertPool()
	trusts.AddCert(ca.Cert)
	return ca, trusts
}

// Implicit TLS: the handshake comes first.
func Example_implicitTLS() {
	ca, trusts := authority()
	cert, key, _ := identity(ca, "device.test")
	s, err := server.New(tlsio.HostNetwork{}, server.Config{
		LocalHost:      "127.0.0.1",
		SingleLineMode: true,
		StartMode:      server.StartImplicit,
		TLS:            tlsio.TLSOptions{ServerCertificate: cert, ServerKey: key},
	}, server.Handler{
		Connected: func(c *server.Connection, err error) {
			if err != nil {
				fmt.Println(err) // the handshake failed
				return
			}
			c.SendLine("hello over " + tls.VersionName(c.TLS().State().Version))
			c.Disconnect()
		},
	})
	if err == nil {
		err = s.StartListening(context.Background())
	}
	if err != nil {
		panic(err)
	}
	defer s.Close()

	conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{ServerName: "device.test", RootCAs: trusts})
	if err != nil {
		panic(err)
	}
	answer, err := io.ReadAll(conn)
	fmt.Printf("%q %v\n", answer, err)
	// Output: "hello over TLS 1.3\r\n" <nil>
}

// STARTTLS: plain text until the client asks for TLS.
func ExampleConnection_StartTLS() {
	ca, trusts := authority()
	cert, key, _ := identity(ca, "mail.test")
	s, err := server.New(tlsio.HostNetwork{}, server.Config{
		LocalHost:      "127.0.0.1",
		SingleLineMode: true,
		StartMode:      server.StartExplicit,
		TLS:            tlsio.TLSOptions{ServerCertificate: cert, ServerKey: key},
	}, server.Handler{
		DataIn: func(c *server.Connection, line []byte, eol bool) {
			switch {
			case string(line) == "STARTTLS" && c.TLS() == nil:
				c.SendLine("220 go ahead")
				c.StartTLS()
			case c.TLS() == nil:
				c.SendLine("530 secure this connection first")
			default:
				c.SendLine("250 " + string(line) + " is safe now")
			}
		},
	})
	if err == nil {
		err = s.StartListening(context.Background())
	}
	if err != nil {
		panic(err)
	}
	defer s.Close()

	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		panic(err)
	}
	ask := func(conn net.Conn, line string) {
		fmt.Fprintln(conn, line)
		answer, _ := bufio.NewReader(conn).ReadString('\n')
		fmt.Println(answer[:len(answer)-2])
	}
	ask(conn, "SECRET")
	ask(conn, "STARTTLS")
	ask(tls.Client(conn, &tls.Config{ServerName: "mail.test", RootCAs: trusts}), "SECRET")
	// Output:
	// 530 secure this connection first
	// 220 go ahead
	// 250 SECRET is safe now
}

// Client certificates, of which the program decides.
func ExampleHandler_clientAuthentication() {
	ca, trusts := authority()
	cert, key, _ := identity(ca, "device.test")
	_, _, alice := identity(ca, "alice")
	_, _, mallory := identity(ca, "mallory")
	s, err := server.New(tlsio.HostNetwork{}, server.Config{
		LocalHost:           "127.0.0.1",
		StartMode:           server.StartImplicit,
		TLS:                 tlsio.TLSOptions{ServerCertificate: cert, ServerKey: key, CA: [][]byte{ca.DER()}},
		AuthenticateClients: true,
	}, server.Handler{
		ClientAuthentication: func(c *server.Connection, a *server.ClientAuthentication) {
			if a.Accept { // its chain verifies
				a.Accept = a.Chain[0].Subject.CommonName == "alice"
			}
		},
		Connected: func(c *server.Connection, err error) {
			if err == nil {
				c.SendText("hello, " + c.TLS().State().PeerCertificates[0].Subject.CommonName)
				c.Disconnect()
			}
		},
	})
	if err == nil {
		err = s.StartListening(context.Background())
	}
	if err != nil {
		panic(err)
	}
	defer s.Close()

	for _, who := range []tls.Certificate{alice, mallory} {
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{ServerName: "device.test", RootCAs: trusts, Certificates: []tls.Certificate{who}})
		if err != nil {
			panic(err)
		}
		answer, err := io.ReadAll(conn)
		fmt.Printf("%q, refused: %v\n", answer, err != nil)
	}
	// Output:
	// "hello, alice", refused: false
	// "", refused: true
}

// Broadcast to everybody: nobody gets half a message, nobody waits for a slow one.
func ExampleServer_Broadcast() {
	arrived := make(chan string, 3)
	s, err := server.New(tlsio.HostNetwork{}, server.Config{LocalHost: "127.0.0.1"}, server.Handler{
		Connected: func(c *server.Connection, err error) { arrived <- c.ID() },
	})
	if err == nil {
		err = s.StartListening(context.Background())
	}
	if err != nil {
		panic(err)
	}
	defer s.Close()
	var clients []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			panic(err)
		}
		clients = append(clients, conn)
		<-arrived
	}

	n, err := s.Broadcast([]byte("lunch\n"))
	fmt.Println(n, err)
	for _, conn := range clients {
		line, _ := bufio.NewReader(conn).ReadString('\n')
		fmt.Print(line)
	}
	// Output:
	// 3 <nil>
	// lunch
	// lunch
	// lunch
}

// A file from an fs.FS: what is embedded in an image, or a file system.
func ExampleConnection_SendFile() {
	files := fstest.MapFS{"motd": {Data: []byte("Nothing new today.\n")}}
	s, err := server.New(tlsio.HostNetwork{}, server.Config{LocalHost: "127.0.0.1", SingleLineMode: true}, server.Handler{
		DataIn: func(c *server.Connection, name []byte, eol bool) {
			n, err := c.SendFile(files, string(name))
			fmt.Println(n, err)
			c.Disconnect()
		},
	})
	if err == nil {
		err = s.StartListening(context.Background())
	}
	if err != nil {
		panic(err)
	}
	defer s.Close()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(conn, "motd")
	got, _ := io.ReadAll(conn)
	fmt.Printf("%s", got)
	// Output:
	// 19 <nil>
	// Nothing new today.
}

// Sending more than the queue holds, without waiting.
func ExampleConnection_Send() {
	data := make([]byte, 1<<20)
	next := 0
	pump := func(c *server.Connection) {
		for next < len(data) {
			n, err := c.Send(data[next:])
			next += n
			if errors.Is(err, server.ErrWouldBlock) && n == 0 {
				return // ReadyToSend comes when there is room
			}
			if err != nil && !errors.Is(err, server.ErrWouldBlock) {
				return
			}
		}
		c.Disconnect() // everything taken is sent first
	}
	s, err := server.New(tlsio.HostNetwork{}, server.Config{LocalHost: "127.0.0.1"}, server.Handler{ReadyToSend: pump})
	if err == nil {
		err = s.StartListening(context.Background())
	}
	if err != nil {
		panic(err)
	}
	defer s.Close()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		panic(err)
	}
	got, err := io.ReadAll(conn)
	fmt.Println(len(got), err)
	// Output: 1048576 <nil>
}

// A program that does one thing after another: events come when it asks for them.
func ExampleLoop() {
	var loop server.Loop
	ctx, stop := context.WithCancel(context.Background())
	s, err := server.New(tlsio.HostNetwork{}, server.Config{LocalHost: "127.0.0.1", SingleLineMode: true, Post: loop.Post}, server.Handler{
		DataIn: func(c *server.Connection, line []byte, eol bool) {
			fmt.Printf("%s\n", line)
			stop()
		},
	})
	if err == nil {
		err = s.StartListening(ctx)
	}
	if err != nil {
		panic(err)
	}
	defer s.Close()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(conn, "hello")
	for ctx.Err() == nil {
		loop.DoEvents(ctx)
	}
	// Output: hello
}
