package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// The policy on peers is decided in tls.Config.VerifyConnection, because that is
// the one hook that crypto/tls also runs on resumed sessions.
//
// On full handshakes crypto/tls has verified the chain just before, with the
// alert that fits the reason; its result is checked here, not repeated. On
// resumption the certificates come from the session, judged when that was made:
// trusted CAs, clock and policy may have changed since, so they are judged anew.

func verifyServer(c *tls.Config, s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return &VerifyError{"the server sent no certificate"}
	}
	if !s.DidResume && len(s.VerifiedChains) > 0 {
		return nil
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName:       c.ServerName,
		Roots:         c.RootCAs,
		Intermediates: intermediates(s.PeerCertificates),
		CurrentTime:   now(c),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

func verifyClient(c *tls.Config, s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		if c.ClientAuth == tls.RequireAndVerifyClientCert {
			return &VerifyError{"the client sent no certificate"}
		}
		return nil
	}
	if c.ClientAuth == tls.NoClientCert || !s.DidResume && len(s.VerifiedChains) > 0 {
		return nil
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots:         c.ClientCAs,
		Intermediates: intermediates(s.PeerCertificates),
		CurrentTime:   now(c),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

func intermediates(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range certs[1:] {
		pool.AddCert(cert)
	}
	return pool
}

func now(c *tls.Config) time.Time {
	if c.Time != nil {
		return c.Time()
	}
	return time.Now()
}
