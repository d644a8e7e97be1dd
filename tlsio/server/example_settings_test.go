package server_test

import (
	"errors"
	"fmt"
	"syscall"

	"ingot.dev/tlsio/server"
)

func ExampleConfig_Parse() {
	var config server.Config
	err := config.Parse(`
		# what the operator may change
		MaxConnections = 200
		AllowedClients = 10.0.0.0/8, 192.168.1.*
		SSLEnabledProtocols = 12288
	`)
	fmt.Println(config.MaxConnections, config.AllowedClients, err)

	err = config.Parse("TcpNoDelay=on\nSSLEnabledCipherSuites=TLS_RSA_WITH_RC4_128_MD5")
	fmt.Println(err)
	// Output:
	// 200 [10.0.0.0/8 192.168.1.*] <nil>
	// line 1: setting TcpNoDelay = "on": use True or False (or Yes, No, 1, 0)
	// line 2: setting SSLEnabledCipherSuites = "TLS_RSA_WITH_RC4_128_MD5": TLS_RSA_WITH_RC4_128_MD5 is not there: crypto/tls has no RC4 with MD5; take it out
}

func ExampleCodeOf() {
	err := fmt.Errorf("sending: %w", syscall.ECONNRESET)
	fmt.Println(int(server.CodeOf(err)), server.CodeOf(err))
	_, unknown := (&server.Config{}).Get("MaxConection")
	fmt.Println(unknown)
	fmt.Println(errors.Is(server.ErrWouldBlock, server.ErrWouldBlock), int(server.CodeOf(server.ErrWouldBlock)))
	// Output:
	// 10054 [10054] Connection reset by peer.
	// setting MaxConection: there is no such setting; did you mean MaxConnections?
	// true 135
}
