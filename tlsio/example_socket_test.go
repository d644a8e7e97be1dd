//go:build !imx6ulevk

package tlsio_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"ingot.dev/tlsio"
)

// STARTTLS: a connection begins in plain text, and both sides go over to TLS on it.
// What one of them has sent early is not lost: bytes that the TCP has not read
// belong to the session.
func ExampleNewTLS_startTLS() {
	cert, key := tlsio.SelfSigned("mail.test", time.Now().Add(-time.Hour))
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	app.Post(func() {
		ln, err := tlsio.NewListener(app, tlsio.ListenerOptions{
			Address: "127.0.0.1",
			Connection: tlsio.Handlers[*tlsio.TCP]{
				OnReadable: func(plain *tlsio.TCP, _ int) {
					const command = "STARTTLS\n"
					if line, _ := plain.Read(len(command)); string(line) != command {
						plain.Close()
						return
					}
					plain.Write([]byte("220 go ahead\n"))
					tlsio.NewTLS(app, tlsio.TLSClientOptions{
						From:       plain,
						Server:     true,
						TLS:        tlsio.TLSOptions{ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key}},
						OnWritable: func(t *tlsio.TLS, _ int) { t.Write([]byte("250 nobody listens")); t.Close() },
					})
				},
			},
			OnReadable: func(l *tlsio.Listener, _ int) { l.Read(); l.Close() },
		})
		if err != nil {
			panic(err)
		}
		port, _ := ln.Port()
		tlsio.NewTCP(app, tlsio.TCPOptions{
			Address: "127.0.0.1",
			Port:    port,
			OnWritable: func(plain *tlsio.TCP, _ int) {
				plain.Write([]byte("STARTTLS\n"))
				plain.Reload(client(app, cert, stop))
			},
		})
	})
	app.Run(ctx)
	// Output:
	// 220 go ahead
	// 250 nobody listens
}

// client waits for the answer to STARTTLS and goes on in TLS.
func client(app *tlsio.App, cert []byte, stop func()) tlsio.Handlers[*tlsio.TCP] {
	return tlsio.Handlers[*tlsio.TCP]{OnReadable: func(plain *tlsio.TCP, _ int) {
		answer, _ := plain.Read(len("220 go ahead\n"))
		fmt.Printf("%s", answer)
		tlsio.NewTLS(app, tlsio.TLSClientOptions{
			From: plain,
			TLS:  tlsio.TLSOptions{Host: "mail.test", CA: [][]byte{cert}},
			OnReadable: func(t *tlsio.TLS, _ int) {
				p, _ := t.ReadAvailable()
				fmt.Printf("%s\n", p)
				t.Close()
				stop()
			},
		})
	}}
}

// A client says with End that its question is complete, and still reads the answer.
// The server, with AllowHalfOpen, learns of it from OnEnd.
func ExampleTCP_End() {
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	app.Post(func() {
		ln, err := tlsio.NewListener(app, tlsio.ListenerOptions{Address: "127.0.0.1", OnReadable: func(l *tlsio.Listener, _ int) {
			conn, _ := l.Read()
			total := 0
			tlsio.NewTCP(app, tlsio.TCPOptions{
				From:          conn,
				AllowHalfOpen: true,
				OnReadable:    func(t *tlsio.TCP, n int) { t.Read(n); total += n },
				OnEnd:         func(t *tlsio.TCP) { t.End(fmt.Appendf(nil, "%d bytes", total)) },
				OnError:       func(t *tlsio.TCP, _ error) { t.Close() }, // both sides have ended
			})
			l.Close()
		}})
		if err != nil {
			panic(err)
		}
		port, _ := ln.Port()
		tlsio.NewTCP(app, tlsio.TCPOptions{
			Address: "127.0.0.1",
			Port:    port,
			OnWritable: func(t *tlsio.TCP, _ int) {
				t.End(make([]byte, 10000))
			},
			OnReadable: func(t *tlsio.TCP, n int) {
				p, _ := t.Read(n)
				fmt.Printf("%s\n", p)
			},
			OnError: func(t *tlsio.TCP, _ error) { t.Close(); stop() },
		})
	})
	app.Run(ctx)
	// Output: 10000 bytes
}

// A connection on which nothing happens is asked once whether somebody is there,
// and then closed.
func ExampleTCP_SetIdleTimeout() {
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	app.Post(func() {
		ln, err := tlsio.NewListener(app, tlsio.ListenerOptions{Address: "127.0.0.1", OnReadable: func(l *tlsio.Listener, _ int) {
			conn, _ := l.Read()
			tlsio.NewTCP(app, tlsio.TCPOptions{
				From:        conn,
				IdleTimeout: 50 * time.Millisecond,
				OnTimeout: func(t *tlsio.TCP) {
					if t.Target() == nil {
						t.SetTarget("asked")
						t.Write([]byte("still there? "))
						t.SetIdleTimeout(50 * time.Millisecond) // again
						return
					}
					t.Write([]byte("bye")) // closed when this returns
				},
			})
			l.Close()
		}})
		if err != nil {
			panic(err)
		}
		port, _ := ln.Port()
		var got []byte
		tlsio.NewTCP(app, tlsio.TCPOptions{
			Address:    "127.0.0.1",
			Port:       port,
			OnReadable: func(t *tlsio.TCP, n int) { p, _ := t.Read(n); got = append(got, p...) },
			OnError: func(t *tlsio.TCP, err error) {
				fmt.Printf("%s\n", got)
				t.Close()
				stop()
			},
		})
	})
	app.Run(ctx)
	// Output: still there? bye
}

// A consumer that can't keep up pauses; what the peer sends meanwhile waits at the
// peer.
func ExampleTCP_Pause() {
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	ln, err := tlsio.NewListener(app, tlsio.ListenerOptions{Address: "127.0.0.1"})
	if err != nil {
		panic(err)
	}
	port, _ := ln.Port()
	nl, err := ln.NetListener()
	if err != nil {
		panic(err)
	}
	defer nl.Close()
	go func() { // a plain Go program sends as fast as it can
		conn, err := nl.Accept()
		if err == nil {
			conn.Write(make([]byte, 1<<20))
			conn.Close()
		}
	}()
	pauses, total := 0, 0
	app.Post(func() {
		tlsio.NewTCP(app, tlsio.TCPOptions{
			Address: "127.0.0.1",
			Port:    port,
			OnReadable: func(t *tlsio.TCP, n int) {
				t.Read(n)
				total += n
				pauses++
				t.Pause()
				time.AfterFunc(time.Millisecond, func() { t.Resume() }) // done with it
			},
			OnError: func(t *tlsio.TCP, _ error) { t.Close(); stop() },
		})
	})
	app.Run(ctx)
	fmt.Println(total, pauses > 10)
	// Output: 1048576 true
}

// The callbacks of all connections of a listener are replaced at once; connections
// and what they have not read yet stay.
func ExampleListener_Reload() {
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	version := func(name string) tlsio.Handlers[*tlsio.TCP] {
		return tlsio.Handlers[*tlsio.TCP]{OnReadable: func(t *tlsio.TCP, _ int) {
			t.ReadAvailable()
			t.Write([]byte("I am " + name))
		}}
	}
	app.Post(func() {
		ln, err := tlsio.NewListener(app, tlsio.ListenerOptions{
			Address:    "127.0.0.1",
			Connection: version("version 1"),
			OnReadable: func(l *tlsio.Listener, _ int) { l.Read() },
		})
		if err != nil {
			panic(err)
		}
		port, _ := ln.Port()
		tlsio.NewTCP(app, tlsio.TCPOptions{
			Address: "127.0.0.1",
			Port:    port,
			OnWritable: func(t *tlsio.TCP, _ int) {
				if t.BytesWritten() == 0 {
					t.Write([]byte("?"))
				}
			},
			OnReadable: func(t *tlsio.TCP, n int) {
				p, _ := t.Read(n)
				fmt.Printf("%s\n", p)
				if t.BytesWritten() == 2 {
					ln.CloseAll()
					t.Close()
					stop()
					return
				}
				ln.Reload(version("version 2"))
				t.Write([]byte("?"))
			},
		})
	})
	app.Run(ctx)
	// Output:
	// I am version 1
	// I am version 2
}

// Terminate is for peers that deserve no orderly end: they see a reset, and what was
// not sent yet is dropped.
func ExampleTCP_Terminate() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	app := tlsio.NewApp(tlsio.HostNetwork{})
	go app.Run(ctx)
	ln, err := tlsio.NewListener(app, tlsio.ListenerOptions{
		Address:    "127.0.0.1",
		Connection: tlsio.Handlers[*tlsio.TCP]{OnReadable: func(t *tlsio.TCP, _ int) { t.Terminate() }},
		OnReadable: func(l *tlsio.Listener, _ int) { l.Read(); l.Close() },
	})
	if err != nil {
		panic(err)
	}
	port, _ := ln.Port()
	conn, err := app.Network().DialContext(ctx, "tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	conn.Write([]byte("nonsense"))
	_, err = conn.Read(make([]byte, 1))
	fmt.Println(err != nil && err != io.EOF)
	// Output: true
}

// Wait returns when nothing is left to serve. Unref excepts what shouldn't keep the
// program going.
func ExampleApp_Wait() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	app := tlsio.NewApp(tlsio.HostNetwork{})
	go app.Run(ctx)
	status, err := tlsio.NewListener(app, tlsio.ListenerOptions{Address: "127.0.0.1"})
	if err != nil {
		panic(err)
	}
	status.Unref()
	job, err := tlsio.NewListener(app, tlsio.ListenerOptions{Address: "127.0.0.1"})
	if err != nil {
		panic(err)
	}
	time.AfterFunc(10*time.Millisecond, func() { job.Close() })
	fmt.Println(app.Wait(ctx))
	status.Close()
	// Output: <nil>
}
