package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// rules judge peers. They are applied in tls.Config.VerifyConnection, because that
// is the one hook that crypto/tls also runs on resumed sessions.
//
// On full handshakes crypto/tls has verified the chain just before, with the
// alert that fits the reason; its result is taken here, not repeated. On
// resumption the certificates come from the session, judged when that was made:
// trusted CAs, clock and policy may have changed since, so they are judged anew.
type rules struct {
	server bool
	mode   VerifyMode
	auth   ClientAuth
	host   string // client: the name that the server's certificate must have
	roots  *x509.CertPool
	now    func() time.Time

	// find gives the trusted CAs for a chain, in place of roots.
	find func(chain []*x509.Certificate) (*x509.CertPool, error)
	// matchName replaces x509's comparison of a server's certificate, the first of
	// chain, with host.
	matchName func(chain []*x509.Certificate, host string) error
	// checks come after chain and name, on VerifiedChains.
	checks []func(r *rules, s *State) error
	// decide is VerifyPeer.
	decide func(*State) error
	// choose is SecureOptions.GetCertificate.
	choose func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// standard reports whether crypto/tls's own verification says the same as these
// rules on chain and name.
func (r *rules) standard() bool {
	return r.mode == VerifyRequired && r.matchName == nil && r.find == nil
}

// clientAuth returns crypto/tls's form of what is asked of clients. Without roots it
// would take the system's, so that judge alone has a say then.
func (r *rules) clientAuth() tls.ClientAuthType {
	verifies := r.mode == VerifyRequired && r.roots != nil
	switch {
	case r.auth == ClientAuthRequest && verifies:
		return tls.VerifyClientCertIfGiven
	case r.auth == ClientAuthRequest:
		return tls.RequestClientCert
	case r.auth == ClientAuthRequire && verifies:
		return tls.RequireAndVerifyClientCert
	case r.auth == ClientAuthRequire:
		return tls.RequireAnyClientCert
	}
	return tls.NoClientCert
}

// admit judges the peer, notes the result in s, and returns an error if the
// handshake must end.
func (r *rules) admit(s *State) error {
	s.authErr = r.judge(s)
	if len(s.PeerCertificates) == 0 {
		if !r.server || r.auth == ClientAuthRequire {
			return s.authErr
		}
	} else if s.authErr != nil && r.mode == VerifyRequired && !(r.server && r.auth == ClientAuthNone) {
		return s.authErr
	}
	if r.decide != nil {
		if err := r.decide(s); err != nil {
			return &DecisionError{err}
		}
	}
	return nil
}

// judge decides whether the peer is who it says, whatever follows from it. It
// depends on nothing but r, s and the clock. It sets s.VerifiedChains: to the chains
// that all rules accept, nil with an error.
func (r *rules) judge(s *State) error {
	err := r.examine(s)
	if err != nil {
		s.VerifiedChains = nil
	}
	return err
}

// keepChains keeps the verified chains that pass a check. If none does, that is the first
// one's error.
func keepChains(s *State, check func(chain []*x509.Certificate) error) error {
	var kept [][]*x509.Certificate
	var first error
	for _, chain := range s.VerifiedChains {
		if err := check(chain); err == nil {
			kept = append(kept, chain)
		} else if first == nil {
			first = err
		}
	}
	if kept == nil {
		return first
	}
	s.VerifiedChains = kept
	return nil
}

func (r *rules) examine(s *State) error {
	switch {
	case r.server && r.auth == ClientAuthNone:
		return errNotAsked
	case len(s.PeerCertificates) == 0 && r.server:
		return errNoClientCertificate
	case len(s.PeerCertificates) == 0:
		return errNoServerCertificate
	case r.mode == InsecureVerifyNone:
		return errNotVerified
	case r.server && r.roots == nil && r.find == nil:
		s.VerifiedChains = nil
		return errNoClientCA
	case !r.server && r.host == "":
		s.VerifiedChains = nil
		return errNoHost
	}
	if s.DidResume || !r.standard() || len(s.VerifiedChains) == 0 {
		chains, err := r.verify(s.PeerCertificates)
		if err != nil {
			return err
		}
		s.VerifiedChains = chains
	}
	for _, check := range r.checks {
		if err := check(r, s); err != nil {
			return err
		}
	}
	return nil
}

// verify is the judgement on chain and name.
func (r *rules) verify(certs []*x509.Certificate) ([][]*x509.Certificate, error) {
	o := x509.VerifyOptions{
		Roots:         r.roots,
		Intermediates: intermediates(certs),
		CurrentTime:   r.time(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if !r.server {
		o.KeyUsages[0] = x509.ExtKeyUsageServerAuth
		if r.matchName == nil {
			o.DNSName = r.host
		}
	}
	var missing error // what the pool should have and hasn't
	if r.find != nil {
		o.Roots, missing = r.find(certs)
	}
	chains, err := certs[0].Verify(o)
	if err != nil && missing != nil {
		err = missing
	}
	if err != nil || r.matchName == nil || r.server {
		return chains, err
	}
	var kept [][]*x509.Certificate
	for _, chain := range chains {
		if e := r.matchName(chain, r.host); e == nil {
			kept = append(kept, chain)
		} else if err == nil {
			err = e
		}
	}
	if kept != nil {
		err = nil
	}
	return kept, err
}

func intermediates(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range certs[1:] {
		pool.AddCert(cert)
	}
	return pool
}

func (r *rules) time() time.Time {
	if r.now != nil {
		return r.now()
	}
	return time.Now()
}

// Why a peer isn't authorized though nothing is wrong with a certificate.
var (
	errNotAsked            = &VerifyError{"no client certificate was asked for"}
	errNoClientCertificate = &VerifyError{"the client sent no certificate"}
	errNoServerCertificate = &VerifyError{"the server sent no certificate"}
	errNoClientCA          = &VerifyError{"there is no CA to judge clients by"}
	errNoHost              = &VerifyError{"there is no Host to compare the server's certificate with"}
	errNotVerified         = &VerifyError{"nothing was verified: VerifyMode is InsecureVerifyNone"}
)
