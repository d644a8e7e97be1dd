//go:build !imx6ulevk

package tlsio_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"ingot.dev/tlsio"
)

// A listener whose connections are taken over with callbacks, and a client.
func ExampleTCP() {
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	app.Post(func() {
		ln, err := tlsio.NewListener(app, tlsio.ListenerOptions{
			Address: "127.0.0.1",
			OnReadable: func(l *tlsio.Listener, waiting int) {
				for range waiting { // those left unread are not announced again
					conn, _ := l.Read()
					tlsio.NewTCP(app, tlsio.TCPOptions{
						From: conn,
						OnReadable: func(t *tlsio.TCP, _ int) {
							p, _ := t.ReadAvailable()
							t.Write(p)
						},
						OnError: func(t *tlsio.TCP, _ error) { t.Close(); l.Close() },
					})
				}
			},
		})
		if err != nil {
			panic(err)
		}
		port, _ := ln.Port()
		tlsio.NewTCP(app, tlsio.TCPOptions{
			Address: "127.0.0.1",
			Port:    port,
			OnWritable: func(t *tlsio.TCP, _ int) { // connected, or bytes were sent
				if t.Target() == nil {
					t.SetTarget("greeted")
					t.Write([]byte("hi!"))
				}
			},
			OnReadable: func(t *tlsio.TCP, n int) {
				p, _ := t.Read(n)
				fmt.Printf("%s\n", p)
				t.Close()
				stop()
			},
		})
	})
	app.Run(ctx)
	// Output: hi!
}

// Option errors come all at once, each with its fix.
func ExampleNewTLS() {
	app := tlsio.NewApp(tlsio.HostNetwork{})
	_, err := tlsio.NewTLS(app, tlsio.TLSClientOptions{
		Address: "192.0.2.1",
		TLS:     tlsio.TLSOptions{MinimumVersion: "SSLv3"},
	})
	fmt.Println(err)
	// Output:
	// tlsio: NewTLS: options: option Port = 0: required: 1 to 65535
	// option TLS.MinimumVersion = SSLv3: use "TLSv1.3", "TLSv1.2" or "TLSv1.1"
	// option TLS.Host: required: the server's name, for SNI and to compare with its certificate
}

// A plain Go program takes a Listener in its blocking form.
func ExampleListener_NetListener() {
	app := tlsio.NewApp(tlsio.HostNetwork{})
	l, err := tlsio.NewListener(app, tlsio.ListenerOptions{Address: "127.0.0.1"})
	if err != nil {
		panic(err)
	}
	ln, err := l.NetListener()
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err == nil {
			io.WriteString(c, "welcome")
			c.Close()
		}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		panic(err)
	}
	defer c.Close()
	p, _ := io.ReadAll(c)
	fmt.Println(string(p))
	// Output: welcome
}

// A TLS listener and a TLS client, both with callbacks.
func ExampleTLSListener() {
	cert, key := tlsio.SelfSigned("sensor.test", time.Now().Add(-time.Hour))
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	app.Post(func() {
		ln, err := tlsio.NewTLSListener(app, tlsio.TLSListenerOptions{
			Address: "127.0.0.1",
			TLS:     tlsio.TLSOptions{ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key}},
			OnReadable: func(l *tlsio.TLSListener, _ int) {
				conn, _ := l.Read() // secured already
				tlsio.NewTLS(app, tlsio.TLSClientOptions{
					From:       conn,
					OnWritable: func(t *tlsio.TLS, _ int) { t.Write([]byte("21 degrees")); t.Close() },
				})
				l.Close()
			},
		})
		if err != nil {
			panic(err)
		}
		port, _ := ln.Port()
		tlsio.NewTLS(app, tlsio.TLSClientOptions{
			Address: "127.0.0.1",
			Port:    port,
			TLS:     tlsio.TLSOptions{Host: "sensor.test", CA: [][]byte{cert}},
			OnReadable: func(t *tlsio.TLS, n int) {
				p, _ := t.Read(n)
				fmt.Printf("%s\n", p)
			},
			OnError: func(t *tlsio.TLS, err error) { t.Close(); stop() }, // the server has closed
		})
	})
	app.Run(ctx)
	// Output: 21 degrees
}

// Blocking Go over TLS.
func ExampleListen() {
	ctx := context.Background()
	cert, key := tlsio.SelfSigned("sensor.test", time.Now().Add(-time.Hour))
	ln, err := tlsio.Listen(ctx, tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{
		ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key},
	})
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept() // its handshake is done
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	c, err := tlsio.Dial(ctx, tlsio.HostNetwork{}, ln.Addr().String(), tlsio.TLSOptions{Host: "sensor.test", CA: [][]byte{cert}})
	if err != nil {
		panic(err)
	}
	defer c.Close()
	io.WriteString(c, "echo")
	p := make([]byte, 4)
	io.ReadFull(c, p)
	fmt.Printf("%s\n", p)

	_, err = tlsio.Dial(ctx, tlsio.HostNetwork{}, ln.Addr().String(), tlsio.TLSOptions{Host: "other.test", CA: [][]byte{cert}})
	hint := err.(*tlsio.Error).Hint
	fmt.Println(hint)
	// Output:
	// echo
	// certificate is for sensor.test; set Host to it, or reissue the certificate
}

// Packets to and from anybody.
func ExampleUDP() {
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	app.Post(func() {
		clock, err := tlsio.NewUDP(app, tlsio.UDPOptions{
			Address: "127.0.0.1",
			OnReadable: func(u *tlsio.UDP, packets int) {
				for range packets {
					p, _ := u.Read() // a whole packet, with its sender
					u.Write([]byte("12:00, "+string(p.Data)), p.Address, p.Port)
				}
			},
		})
		if err != nil {
			panic(err)
		}
		port, _ := clock.Port()
		asker, err := tlsio.NewUDP(app, tlsio.UDPOptions{
			Address: "127.0.0.1",
			OnReadable: func(u *tlsio.UDP, packets int) {
				p, _ := u.Read()
				fmt.Printf("%s\n", p.Data)
				u.Close()
				clock.Close()
				stop()
			},
		})
		if err != nil {
			panic(err)
		}
		asker.Write([]byte("sailor"), "127.0.0.1", port)
	})
	app.Run(ctx)
	// Output: 12:00, sailor
}

// A line in plain text, then TLS on the same connection, in both roles.
func ExampleSecureContext_Secure() {
	ctx := context.Background()
	cert, key := tlsio.SelfSigned("mail.test", time.Now().Add(-time.Hour))
	server, err := tlsio.NewServerContext(tlsio.TLSOptions{ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key}})
	if err != nil {
		panic(err)
	}
	client, err := tlsio.NewClientContext(tlsio.TLSOptions{CA: [][]byte{cert}})
	if err != nil {
		panic(err)
	}
	a, b := net.Pipe()
	go func() {
		in := bufio.NewReader(a)
		in.ReadString('\n')
		io.WriteString(a, "220 go ahead\n")
		ahead, _ := in.Peek(in.Buffered()) // what the client has sent already
		conn, err := server.Secure(ctx, a, tlsio.SecureOptions{Unread: ahead})
		if err != nil {
			panic(err)
		}
		io.WriteString(conn, "250 now in private\n")
		conn.Close()
	}()
	io.WriteString(b, "STARTTLS\n")
	bufio.NewReaderSize(b, 16).ReadString('\n')
	conn, err := client.Secure(ctx, b, tlsio.SecureOptions{Host: "mail.test"})
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	text, _ := io.ReadAll(conn)
	state := conn.State()
	fmt.Printf("%sauthorized: %v\n", text, state.Authorized())
	// Output:
	// 250 now in private
	// authorized: true
}

// Certificates are exchanged while the server runs.
func ExampleSecureContext_Reload() {
	ctx := context.Background()
	old, oldKey := tlsio.SelfSigned("old.test", time.Now().Add(-time.Hour))
	secure, err := tlsio.NewServerContext(tlsio.TLSOptions{ServerCertificate: [][]byte{old}, ServerKey: [][]byte{oldKey}})
	if err != nil {
		panic(err)
	}
	ln, err := tlsio.Listen(ctx, tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{Context: secure})
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(io.Discard, c) }()
		}
	}()
	dial := func(name string, ca []byte) {
		c, err := tlsio.Dial(ctx, tlsio.HostNetwork{}, ln.Addr().String(), tlsio.TLSOptions{Host: name, CA: [][]byte{ca}})
		if err != nil {
			fmt.Println(name, err.(*tlsio.Error).Stage)
			return
		}
		fmt.Println(name, "is there")
		c.Close()
	}
	dial("old.test", old)
	renewed, renewedKey := tlsio.SelfSigned("new.test", time.Now().Add(-time.Hour))
	if err := secure.Reload(tlsio.TLSOptions{ServerCertificate: [][]byte{renewed}, ServerKey: [][]byte{renewedKey}}); err != nil {
		panic(err)
	}
	dial("old.test", old)
	dial("new.test", renewed)
	// Output:
	// old.test is there
	// old.test verify
	// new.test is there
}
