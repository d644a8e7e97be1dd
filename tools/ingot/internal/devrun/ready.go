package devrun

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A machine is what waitReady needs of a qemu.Machine.
type machine interface {
	DialForward(ctx context.Context, guestPort int) (net.Conn, error)
	Done() <-chan struct{}
	Wait() (int, error)
	WaitConsole(ctx context.Context, re *regexp.Regexp) ([]string, error)
	ConsoleTail() string
}

// The default firmware says when it listens. A connection made earlier would
// hang for seconds: QEMU accepts it, and repeats its SYN to a guest without a
// network at growing intervals. A firmware that says nothing is tried anyway
// after silence.
var listening = regexp.MustCompile(`ready: TLS`)

const silence = 3 * time.Second

// handshakeLimit bounds one attempt.
const handshakeLimit = 5 * time.Second

// A Service is one of a firmware that is configured.
type Service struct {
	Name, Kind     string
	Port, HostPort int  // of the guest, and of 127.0.0.1
	TLS            bool // whether it speaks TLS
	Mutual         bool // whether it asks clients for certificates
	// ServerName is a name that its certificate is valid for, if there is one.
	ServerName string
}

// defaultService is that of the default firmware.
var defaultService = Service{Port: GuestPort, TLS: true, ServerName: "localhost"}

// host is this machine in handshakes.
type host struct {
	roots *x509.CertPool
	// certificate is shown to a firmware that asks for one; empty for none.
	certificate tls.Certificate
	asked       bool // for it
}

// waitReady returns when a service is ready: a verified TLS handshake with it has
// succeeded or, if it speaks no TLS or wants to know who asks or nobody knows its
// authority, it has said so.
func waitReady(ctx context.Context, m machine, s Service, h *host, limit time.Duration) error {
	if s.Name != "" && (!s.TLS || s.Mutual || s.ServerName == "" || h.roots == nil) {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("service %s was not ready within %v", s.Name, limit))
		defer cancel()
		if _, err := m.WaitConsole(ctx, regexp.MustCompile(`ready: (TLS|TCP) `+regexp.QuoteMeta(s.Name)+` on `)); err != nil {
			return fmt.Errorf("%w: %w", ErrNotReady, err)
		}
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no TLS handshake within %v", limit))
	defer cancel()
	quiet, cancelQuiet := context.WithTimeout(ctx, silence)
	defer cancelQuiet()
	m.WaitConsole(quiet, listening) // what goes wrong shows below

	var last error
	for {
		err := h.handshake(ctx, m, s)
		var refused *tls.CertificateVerificationError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused):
			// It will be no better next time.
			return fmt.Errorf("%w: its certificate is not what the development CA issued: %w", ErrNotReady, err)
		case ctx.Err() == nil:
			last = err
		}
		select {
		case <-m.Done():
			code, err := m.Wait()
			if err == nil {
				err = fmt.Errorf("with status %d", code)
			}
			return fmt.Errorf("%w: it ended: %w; %s", ErrNotReady, err, m.ConsoleTail())
		case <-ctx.Done():
			err := context.Cause(ctx)
			if last != nil {
				err = fmt.Errorf("%w (last attempt: %w)", err, last)
			}
			return fmt.Errorf("%w: %w; %s", ErrNotReady, err, m.ConsoleTail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (h *host) handshake(ctx context.Context, m machine, s Service) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	conn, err := m.DialForward(ctx, s.Port)
	if err != nil {
		return err
	}
	defer conn.Close()
	return tls.Client(conn, &tls.Config{RootCAs: h.roots, ServerName: s.ServerName,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			h.asked = true
			return &h.certificate, nil
		},
	}).HandshakeContext(ctx)
}

// advice says how to talk to the firmware. Each command succeeds as printed.
//
// curl speaks HTTP. A firmware that echoes bytes understands it all the same if the
// request is written such that its echo is an answer: the method is a status line,
// and the length and the body are those of both.
//
// certFile and keyFile are the client's, if the firmware asks for them.
func advice(addr, caFile, certFile, keyFile string, echoes bool, after time.Duration) string {
	_, port, _ := net.SplitHostPort(addr)
	what, curl, client, curlClient := "TLS", "", "", ""
	if certFile != "" {
		client = clientFlags(certFile, keyFile)
		curlClient = fmt.Sprintf(" --cert %s --key %s", ShellWord(certFile), ShellWord(keyFile))
	}
	if echoes {
		what = "a TLS echo"
		curl = fmt.Sprintf(`
  curl --cacert %s%s -X 'HTTP/1.1 200 OK' --data 'hello' https://localhost:%s/

(curl's request is its own answer: the firmware echoes it.)`, ShellWord(caFile), curlClient, port)
	}
	return fmt.Sprintf(`
Ready after %d ms: %s on localhost:%s. Try it from another terminal:

  openssl s_client -connect localhost:%[3]s -servername localhost -CAfile %[4]s -verify_return_error -brief%[5]s
%[6]s
Ctrl-C ends the machine.
`, after.Milliseconds(), what, port, ShellWord(caFile), client, curl)
}

// clientFlags are openssl's for a client's certificate.
func clientFlags(certFile, keyFile string) string {
	return fmt.Sprintf(" -cert %s -key %s", ShellWord(certFile), ShellWord(keyFile))
}

// adviceOn says how to talk to the services of a firmware that is configured. certs is
// the folder of its certificates.
func adviceOn(services []Service, certs, caFile string, after time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nReady after %d ms:\n\n", after.Milliseconds())
	var first *Service
	for i, s := range services {
		what := "TCP"
		if s.TLS {
			what = "TLS"
			if first == nil {
				first = &services[i]
			}
		}
		fmt.Fprintf(&b, "  %s (%s): %s on localhost:%d\n", s.Name, s.Kind, what, s.HostPort)
	}
	if first != nil && caFile != "" {
		client := ""
		if first.Mutual {
			client = clientFlags(clientFiles(certs))
		}
		fmt.Fprintf(&b, "\nTry it from another terminal:\n\n  openssl s_client -connect localhost:%d -servername %s -CAfile %s -verify_return_error -brief%s\n",
			first.HostPort, first.ServerName, ShellWord(caFile), client)
	}
	b.WriteString("\nCtrl-C ends the machine.\n")
	return b.String()
}

// clientFiles are the certificate and the key that this machine has for talking to a
// firmware with the certificates in a folder.
func clientFiles(certs string) (certFile, keyFile string) {
	return filepath.Join(certs, "host", "client.pem"), filepath.Join(certs, "host", "client-key.pem")
}

// ShellWord writes s such that a POSIX shell takes it for one word.
func ShellWord(s string) string {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '/', r == '.', r == '-', r == '_', r == '+':
		default:
			return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
		}
	}
	return s
}
