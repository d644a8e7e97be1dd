package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/server/certificate"
)

// TestCodes: numbers and texts are the reference's.
//
//conform:ipworks error.100 differs tlsio/server.CodeRemotePort -- number and text are known, nothing raises it: a server has no RemotePort to change
//conform:ipworks error.101 differs tlsio/server.CodeRemoteHost -- number and text are known, nothing raises it: a server has no RemoteHost to change
//conform:ipworks error.102 differs tlsio/server.CodeRemoteHostInvalid -- number and text are known, nothing raises it: a server connects to no RemoteHost
//conform:ipworks error.116 differs tlsio/server.CodeRemotePortZero -- number and text are known, nothing raises it: a server connects to no RemotePort
//conform:ipworks error.270 differs tlsio/server.CodeSecurityLibrary -- number and text are known, nothing raises it: TLS is compiled in, so there is nothing to load
//conform:ipworks error.10067 differs tlsio/server.CodeTooManyProcesses -- number and text are known, nothing raises it: no system here has this error
//conform:ipworks error.10091 differs tlsio/server.CodeNetworkUnavailable -- number and text are known, nothing raises it: there is no Winsock
//conform:ipworks error.10092 differs tlsio/server.CodeWinsockVersion -- number and text are known, nothing raises it: there is no Winsock
//conform:ipworks error.10093 differs tlsio/server.CodeWinsockNotLoaded -- number and text are known, nothing raises it: there is no Winsock
//conform:ipworks error.11004 differs tlsio/server.CodeNoAddress -- number and text are known, nothing raises it: no resolver here tells it from 11001
func TestCodes(t *testing.T) {
	texts := map[Code]string{
		100:   "You cannot change the RemotePort at this time. A connection is in progress.",
		101:   "You cannot change the RemoteHost at this time. A connection is in progress.",
		102:   "The RemoteHost address is invalid (0.0.0.0).",
		104:   "TCPServer is already listening.",
		106:   "Cannot change LocalPort when TCPServer is listening.",
		107:   "Cannot change LocalHost when TCPServer is listening.",
		108:   "Cannot change MaxConnections when TCPServer is listening.",
		112:   "You cannot change MaxLineLength at this time. A connection is in progress.",
		116:   "RemotePort cannot be zero. Please specify a valid service port number.",
		126:   "Invalid ConnectionId.",
		135:   "Operation would block.",
		270:   "Cannot load specified security library.",
		271:   "Cannot open certificate store.",
		272:   "Cannot find specified certificate.",
		273:   "Cannot acquire security credentials.",
		274:   "Cannot find certificate chain.",
		275:   "Cannot verify certificate chain.",
		276:   "Error during handshake.",
		280:   "Error verifying certificate.",
		281:   "Could not find client certificate.",
		282:   "Could not find server certificate.",
		283:   "Error encrypting data.",
		284:   "Error decrypting data.",
		10004: "[10004] Interrupted system call.",
		10009: "[10009] Bad file number.",
		10013: "[10013] Access denied.",
		10014: "[10014] Bad address.",
		10022: "[10022] Invalid argument.",
		10024: "[10024] Too many open files.",
		10035: "[10035] Operation would block.",
		10036: "[10036] Operation now in progress.",
		10037: "[10037] Operation already in progress.",
		10038: "[10038] Socket operation on nonsocket.",
		10039: "[10039] Destination address required.",
		10040: "[10040] Message is too long.",
		10041: "[10041] Protocol wrong type for socket.",
		10042: "[10042] Bad protocol option.",
		10043: "[10043] Protocol is not supported.",
		10044: "[10044] Socket type is not supported.",
		10045: "[10045] Operation is not supported on socket.",
		10046: "[10046] Protocol family is not supported.",
		10047: "[10047] Address family is not supported by protocol family.",
		10048: "[10048] Address already in use.",
		10049: "[10049] Cannot assign requested address.",
		10050: "[10050] Network is down.",
		10051: "[10051] Network is unreachable.",
		10052: "[10052] Net dropped connection or reset.",
		10053: "[10053] Software caused connection abort.",
		10054: "[10054] Connection reset by peer.",
		10055: "[10055] No buffer space available.",
		10056: "[10056] Socket is already connected.",
		10057: "[10057] Socket is not connected.",
		10058: "[10058] Cannot send after socket shutdown.",
		10059: "[10059] Too many references, cannot splice.",
		10060: "[10060] Connection timed out.",
		10061: "[10061] Connection refused.",
		10062: "[10062] Too many levels of symbolic links.",
		10063: "[10063] File name is too long.",
		10064: "[10064] Host is down.",
		10065: "[10065] No route to host.",
		10066: "[10066] Directory is not empty",
		10067: "[10067] Too many processes.",
		10068: "[10068] Too many users.",
		10069: "[10069] Disc Quota Exceeded.",
		10070: "[10070] Stale NFS file handle.",
		10071: "[10071] Too many levels of remote in path.",
		10091: "[10091] Network subsystem is unavailable.",
		10092: "[10092] WINSOCK DLL Version out of range.",
		10093: "[10093] Winsock is not loaded yet.",
		11001: "[11001] Host not found.",
		11002: "[11002] Nonauthoritative 'Host not found' (try again or check DNS setup).",
		11003: "[11003] Nonrecoverable errors: FORMERR, REFUSED, NOTIMP.",
		11004: "[11004] Valid name, no data record (check DNS setup).",
	}
	for _, c := range Codes() {
		if c.String() != texts[c] || texts[c] == "" {
			t.Errorf("%d is %q, want %q", int(c), c, texts[c])
		}
		if c > 10000 && !strings.HasPrefix(c.String(), fmt.Sprintf("[%d] ", int(c))) {
			t.Errorf("%d doesn't name its number: %q", int(c), c)
		}
		delete(texts, c)
	}
	if len(texts) > 0 {
		t.Errorf("missing: %v", texts)
	}
	if Code(0).String() != "OK" || Code(10000).String() != "[10000] Unknown error." {
		t.Errorf("0 is %q, 10000 is %q", Code(0), Code(10000))
	}
	if code, text := Status(nil); code != 0 || text != "OK" {
		t.Errorf("Status(nil) = %d, %q", code, text)
	}
}

// TestSystemErrors wraps each system error as package net does; each has the number
// that Windows' sockets have for it.
//
//conform:ipworks error.10004 works tlsio/server.CodeInterrupted, tlsio/server.CodeOf
//conform:ipworks error.10009 works tlsio/server.CodeBadFile, tlsio/server.CodeOf
//conform:ipworks error.10013 works tlsio/server.CodeAccessDenied, tlsio/server.CodeOf
//conform:ipworks error.10014 works tlsio/server.CodeBadAddress, tlsio/server.CodeOf
//conform:ipworks error.10022 works tlsio/server.CodeInvalidArgument, tlsio/server.CodeOf
//conform:ipworks error.10024 works tlsio/server.CodeTooManyFiles, tlsio/server.CodeOf
//conform:ipworks error.10035 works tlsio/server.CodeSocketWouldBlock, tlsio/server.CodeOf
//conform:ipworks error.10036 works tlsio/server.CodeInProgress, tlsio/server.CodeOf
//conform:ipworks error.10037 works tlsio/server.CodeAlreadyInProgress, tlsio/server.CodeOf
//conform:ipworks error.10038 works tlsio/server.CodeNotSocket, tlsio/server.CodeOf
//conform:ipworks error.10039 works tlsio/server.CodeDestinationRequired, tlsio/server.CodeOf
//conform:ipworks error.10040 works tlsio/server.CodeMessageTooLong, tlsio/server.CodeOf
//conform:ipworks error.10041 works tlsio/server.CodeWrongProtocolType, tlsio/server.CodeOf
//conform:ipworks error.10042 works tlsio/server.CodeBadProtocolOption, tlsio/server.CodeOf
//conform:ipworks error.10043 works tlsio/server.CodeProtocolNotSupported, tlsio/server.CodeOf
//conform:ipworks error.10044 works tlsio/server.CodeSocketTypeNotSupported, tlsio/server.CodeOf
//conform:ipworks error.10045 works tlsio/server.CodeNotSupported, tlsio/server.CodeOf
//conform:ipworks error.10046 works tlsio/server.CodeProtocolFamilyNotSupported, tlsio/server.CodeOf
//conform:ipworks error.10047 works tlsio/server.CodeAddressFamilyNotSupported, tlsio/server.CodeOf
//conform:ipworks error.10050 works tlsio/server.CodeNetworkDown, tlsio/server.CodeOf
//conform:ipworks error.10051 works tlsio/server.CodeNetworkUnreachable, tlsio/server.CodeOf
//conform:ipworks error.10052 works tlsio/server.CodeNetworkReset, tlsio/server.CodeOf
//conform:ipworks error.10053 works tlsio/server.CodeAborted, tlsio/server.CodeOf
//conform:ipworks error.10055 works tlsio/server.CodeNoBufferSpace, tlsio/server.CodeOf
//conform:ipworks error.10056 works tlsio/server.CodeAlreadyConnected, tlsio/server.CodeOf
//conform:ipworks error.10057 works tlsio/server.CodeNotConnected, tlsio/server.CodeOf
//conform:ipworks error.10058 works tlsio/server.CodeShutdown, tlsio/server.CodeOf
//conform:ipworks error.10059 works tlsio/server.CodeTooManyReferences, tlsio/server.CodeOf
//conform:ipworks error.10062 works tlsio/server.CodeTooManyLinks, tlsio/server.CodeOf
//conform:ipworks error.10063 works tlsio/server.CodeNameTooLong, tlsio/server.CodeOf
//conform:ipworks error.10064 works tlsio/server.CodeHostDown, tlsio/server.CodeOf
//conform:ipworks error.10065 works tlsio/server.CodeHostUnreachable, tlsio/server.CodeOf
//conform:ipworks error.10066 works tlsio/server.CodeNotEmpty, tlsio/server.CodeOf
//conform:ipworks error.10068 works tlsio/server.CodeTooManyUsers, tlsio/server.CodeOf
//conform:ipworks error.10069 works tlsio/server.CodeQuotaExceeded, tlsio/server.CodeOf
//conform:ipworks error.10070 works tlsio/server.CodeStale, tlsio/server.CodeOf
//conform:ipworks error.10071 works tlsio/server.CodeRemote, tlsio/server.CodeOf
func TestSystemErrors(t *testing.T) {
	for no, want := range map[syscall.Errno]Code{
		syscall.EINTR: 10004, syscall.EBADF: 10009, syscall.EACCES: 10013, syscall.EPERM: 10013, syscall.EFAULT: 10014,
		syscall.EINVAL: 10022, syscall.EMFILE: 10024, syscall.ENFILE: 10024, syscall.EWOULDBLOCK: 10035, syscall.EINPROGRESS: 10036,
		syscall.EALREADY: 10037, syscall.ENOTSOCK: 10038, syscall.EDESTADDRREQ: 10039, syscall.EMSGSIZE: 10040, syscall.EPROTOTYPE: 10041,
		syscall.ENOPROTOOPT: 10042, syscall.EPROTONOSUPPORT: 10043, syscall.ESOCKTNOSUPPORT: 10044, syscall.EOPNOTSUPP: 10045,
		syscall.EPFNOSUPPORT: 10046, syscall.EAFNOSUPPORT: 10047, syscall.EADDRINUSE: 10048, syscall.EADDRNOTAVAIL: 10049,
		syscall.ENETDOWN: 10050, syscall.ENETUNREACH: 10051, syscall.ENETRESET: 10052, syscall.ECONNABORTED: 10053, syscall.ECONNRESET: 10054,
		syscall.ENOBUFS: 10055, syscall.ENOMEM: 10055, syscall.EISCONN: 10056, syscall.ENOTCONN: 10057, syscall.ESHUTDOWN: 10058, syscall.EPIPE: 10058,
		syscall.ETOOMANYREFS: 10059, syscall.ETIMEDOUT: 10060, syscall.ECONNREFUSED: 10061, syscall.ELOOP: 10062, syscall.ENAMETOOLONG: 10063,
		syscall.EHOSTDOWN: 10064, syscall.EHOSTUNREACH: 10065, syscall.ENOTEMPTY: 10066, syscall.EUSERS: 10068, syscall.EDQUOT: 10069,
		syscall.ESTALE: 10070, syscall.EREMOTE: 10071,
	} {
		err := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", no)}
		wrapped := &tlsio.Error{Op: "Read", Stage: tlsio.StageHandshake, Err: err}
		if CodeOf(err) != want || CodeOf(wrapped) != want {
			t.Errorf("%v: %d and %d, want %d", no, CodeOf(err), CodeOf(wrapped), want)
		}
	}
}

// TestOtherErrors: what no peer or system provokes in a test.
//
//conform:ipworks error.283 differs tlsio/server.CodeEncrypt, tlsio/server.CodeOf -- number and text are known, it stands for an internal error of crypto/tls while writing, which no way is known to provoke
//conform:ipworks error.273 works tlsio/server.CodeCredentials, tlsio/server.CodeOf
//conform:ipworks error.11001 works tlsio/server.CodeHostNotFound, tlsio/server.CodeOf
//conform:ipworks error.11002 works tlsio/server.CodeHostNotFoundTryAgain, tlsio/server.CodeOf
//conform:ipworks error.11003 works tlsio/server.CodeNameServerFailure, tlsio/server.CodeOf
func TestOtherErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		want Code
	}{
		{nil, 0},
		{&Error{Code: CodeInterrupted}, 10004},
		{fmt.Errorf("around: %w", ErrWouldBlock), 135},
		{context.Canceled, 10004},
		{context.DeadlineExceeded, 10060},
		{os.ErrDeadlineExceeded, 10060},
		{&net.DNSError{IsNotFound: true}, 11001},
		{&net.DNSError{IsTimeout: true}, 11002},
		{&net.DNSError{IsTemporary: true}, 11002},
		{&net.DNSError{Err: "server misbehaving"}, 11003},
		{&tlsio.Error{Stage: tlsio.StageResolve, Err: errors.New("x")}, 11003},
		{&tlsio.OptionError{Option: "TLS.ServerKey[0]"}, 273},
		{&tlsio.OptionError{Option: "LocalPort"}, 10022},
		{&tlsio.Error{Stage: tlsio.StageOptions, Err: errors.New("x")}, 10022},
		{x509.SystemRootsError{}, 271},
		{&tlsio.VerifyError{Reason: "x"}, 280},
		{&tls.CertificateVerificationError{Err: errors.New("x")}, 280},
		{&tlsio.Error{Stage: tlsio.StageVerify, Err: errors.New("x")}, 280},
		{&tlsio.Error{Stage: tlsio.StageWrite, Alert: tlsio.Alert{Origin: tlsio.AlertSent, Number: 80}, Err: errors.New("x")}, 283},
		{tlsio.ErrOverflow, 135},
		{tlsio.ErrNotConnected, 10057},
		{tlsio.ErrTooManyConnections, 10024},
		{tlsio.ErrEvicted, 10053},
		{tlsio.ErrNotSupported, 10045},
		{net.ErrClosed, 10038},
		{io.ErrClosedPipe, 10058},
		{io.EOF, 10054},
		{io.ErrUnexpectedEOF, 10054},
		{fs.ErrNotExist, 10009},
		{fs.ErrPermission, 10013},
		{errors.New("anything"), 10053},
	} {
		if got := CodeOf(test.err); got != test.want {
			t.Errorf("CodeOf(%v) = %d, want %d", test.err, got, test.want)
		}
		if code, text := Status(test.err); code != int(test.want) || text != test.want.String() {
			t.Errorf("Status(%v) = %d, %q", test.err, code, text)
		}
	}
}

// listen serves TLS on the loopback interface with a certificate of ca for
// "server.test"; refused gets the reasons of what it gave up.
func listen(t *testing.T, ca *certstest.CA, o tlsio.TLSOptions) (addr string, refused chan error) {
	t.Helper()
	if o.ServerCertificate == nil && o.GetCertificate == nil {
		id := ca.Issue(certstest.Template{Names: []string{"server.test"}})
		o.ServerCertificate, o.ServerKey = [][]byte{id.DER}, [][]byte{id.KeyDER}
	}
	refused = make(chan error, 16)
	o.OnRefused = func(_ net.Addr, err error) { refused <- err }
	ln, err := tlsio.Listen(t.Context(), testNetwork(t), "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String(), refused
}

// TestProvoked has peers and systems fail in earnest.
//
//conform:ipworks error.271 works tlsio/server.CodeCertificateStore, tlsio/server.CodeOf
//conform:ipworks error.272 works tlsio/server.CodeCertificateNotFound, tlsio/server.CodeOf
//conform:ipworks error.274 works tlsio/server.CodeChainNotFound, tlsio/server.CodeOf
//conform:ipworks error.275 works tlsio/server.CodeChainInvalid, tlsio/server.CodeOf
//conform:ipworks error.276 works tlsio/server.CodeHandshake, tlsio/server.CodeOf
//conform:ipworks error.280 works tlsio/server.CodeVerify, tlsio/server.CodeOf
//conform:ipworks error.281 works tlsio/server.CodeNoClientCertificate, tlsio/server.CodeOf
//conform:ipworks error.282 works tlsio/server.CodeNoServerCertificate, tlsio/server.CodeOf
//conform:ipworks error.284 works tlsio/server.CodeDecrypt, tlsio/server.CodeOf
//conform:ipworks error.10048 works tlsio/server.CodeAddressInUse, tlsio/server.CodeOf
//conform:ipworks error.10049 works tlsio/server.CodeAddressNotAvailable, tlsio/server.CodeOf
//conform:ipworks error.10054 works tlsio/server.CodeReset, tlsio/server.CodeOf
//conform:ipworks error.10060 works tlsio/server.CodeTimedOut, tlsio/server.CodeOf
//conform:ipworks error.10061 works tlsio/server.CodeRefused, tlsio/server.CodeOf
func TestProvoked(t *testing.T) {
	network := testNetwork(t)
	ca := certstest.NewCA(t, certstest.Template{})
	clients := certstest.NewCA(t, certstest.Template{})
	client := func(host string) tlsio.TLSOptions { return tlsio.TLSOptions{Host: host, Roots: ca.Pool()} }
	dial := func(addr string, o tlsio.TLSOptions) error {
		c, err := tlsio.Dial(t.Context(), network, addr, o)
		if err == nil {
			defer c.Close()
			_, err = c.Read(make([]byte, 1)) // a refused client certificate shows here in TLS 1.3
		}
		return err
	}
	check := func(what string, err error, want Code) {
		t.Helper()
		if got := CodeOf(err); got != want || err == nil {
			t.Errorf("%s: %d, want %d: %v", what, got, want, err)
		}
	}
	addr, _ := listen(t, ca, tlsio.TLSOptions{})

	o := client("server.test")
	o.Roots = clients.Pool()
	check("unknown authority", dial(addr, o), 274)
	o = client("server.test")
	o.Now = func() time.Time { return time.Now().Add(10 * 365 * 24 * time.Hour) }
	check("expired", dial(addr, o), 275)
	check("another name", dial(addr, client("other.test")), 280)

	// A server that wants a client certificate, seen from both ends.
	mutual, refused := listen(t, ca, tlsio.TLSOptions{ClientAuth: tlsio.ClientAuthRequire, Roots: clients.Pool()})
	for _, version := range []string{tlsio.TLSv12, tlsio.TLSv13} {
		o = client("server.test")
		o.MaximumVersion = version
		err := dial(mutual, o)
		if version == tlsio.TLSv13 {
			check("no client certificate, client", err, 281)
		}
		check("no client certificate, server, "+version, <-refused, 281)
	}

	named, refused := listen(t, ca, tlsio.TLSOptions{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }})
	check("no server certificate, client", dial(named, client("server.test")), 282)
	<-refused

	// Plain text in place of a client's hello, and of a server's.
	raw, err := network.DialContext(t.Context(), "tcp", named)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(raw, "GET / HTTP/1.0\r\n\r\n")
	check("plain text, server", <-refused, 276)
	raw.Close()
	plain, err := network.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan func(net.Conn), 1)
	go func() {
		for answer := range answers {
			c, err := plain.Accept()
			if err != nil {
				return
			}
			answer(c)
		}
	}()
	answers <- func(c net.Conn) { io.WriteString(c, "220 hello there\r\n"); c.Close() }
	check("plain text, client", dial(plain.Addr().String(), client("server.test")), 276)
	answers <- func(c net.Conn) {
		c.Read(make([]byte, 1))
		c.(interface{ SetLinger(int) error }).SetLinger(0)
		c.Close()
	}
	check("reset", dial(plain.Addr().String(), client("server.test")), 10054)
	stay := make(chan bool)
	answers <- func(c net.Conn) { <-stay; c.Close() }
	o = client("server.test")
	o.HandshakeTimeout = 50 * time.Millisecond
	check("silence", dial(plain.Addr().String(), o), 10060)
	close(stay)

	_, err = network.Listen(t.Context(), "tcp", plain.Addr().String())
	check("address in use", err, 10048)
	_, err = network.Listen(t.Context(), "tcp", "192.0.2.1:0")
	check("somebody else's address", err, 10049)
	close(answers)
	plain.Close()
	check("nobody listens", dial(plain.Addr().String(), client("server.test")), 10061)

	_, err = certificate.Open(certificate.Source{Type: certificate.PFXBlob, Name: "no store"})
	check("no store", err, 271)
	_, err = certificate.Open(certificate.Source{Type: certificate.PublicKeyBlob, Data: ca.DER(), Subject: "CN=nobody"})
	check("not in the store", err, 272)

	// Bytes changed on the way after the handshake.
	near, far := net.Pipe()
	damaged := &damager{Conn: near}
	id := ca.Issue(certstest.Template{Names: []string{"server.test"}})
	pair := id.TLS()
	go func() {
		c := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{pair}})
		c.Handshake()
		damaged.on.Store(true)
		c.Write([]byte("hello"))
		io.Copy(io.Discard, far)
	}()
	secure, err := tlsio.NewClientContext(client("server.test"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := secure.Secure(t.Context(), damaged, tlsio.SecureOptions{})
	if err == nil {
		_, err = io.ReadAll(conn)
		conn.Close()
	}
	check("a damaged record", err, 284)
}

// damager changes a bit of all that it reads, but for record headers, when it is on.
type damager struct {
	net.Conn
	on atomic.Bool
}

func (d *damager) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	if d.on.Load() && n > 5 {
		p[n-1] ^= 1
	}
	return n, err
}
