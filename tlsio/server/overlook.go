package server

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// SecurityFlags are the bits of SSLSecurityFlags: what the verification of clients'
// certificates overlooks.
type SecurityFlags uint32

// The flags that do something. The others are refused.
const (
	IgnoreTime             SecurityFlags = 0x00000001
	IgnoreNesting          SecurityFlags = 0x00000004 // it is never demanded
	AllowUnknownAuthority  SecurityFlags = 0x00000010
	IgnoreUsage            SecurityFlags = 0x00000020
	IgnoreRevocation       SecurityFlags = 0x00000100 // what isn't known to be revoked is never refused
	IgnoreAuthorityRevoked SecurityFlags = 0x00000400 // likewise
	IgnoreRootRevoked      SecurityFlags = 0x00000800 // likewise
	IgnoreName             SecurityFlags = 0x80000000 // clients' names aren't compared with anything

	acceptedFlags = IgnoreTime | IgnoreNesting | AllowUnknownAuthority | IgnoreUsage |
		IgnoreRevocation | IgnoreAuthorityRevoked | IgnoreRootRevoked | IgnoreName
	trustListFlags SecurityFlags = 0x00000002 | 0x00000200
	testRootFlags  SecurityFlags = 0x00004000 | 0x00008000
)

// overlook judges a client's chain again that was refused because of err, and
// returns nil if what is wrong with it is all to be overlooked. What crypto/x509
// didn't say (a revoked certificate, a pin that doesn't match) stays.
func (f SecurityFlags) overlook(err error, chain []*x509.Certificate, roots *x509.CertPool, now time.Time) error {
	if err == nil || len(chain) == 0 || f&(IgnoreTime|AllowUnknownAuthority|IgnoreUsage) == 0 || !isX509(err) {
		return err
	}
	o := x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if roots == nil {
		o.Roots = x509.NewCertPool()
	}
	if f&IgnoreUsage != 0 {
		o.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	}
	// Verify reads these fields, but signatures are of the bytes.
	chain = slices.Clone(chain)
	times := []time.Time{now}
	if f&IgnoreTime != 0 {
		// The times of the roots can't be changed: any moment within them will do.
		times = append(times, chain[0].NotBefore, chain[0].NotAfter)
		for i, cert := range chain {
			timeless := *cert
			timeless.NotBefore, timeless.NotAfter = time.Time{}, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
			chain[i] = &timeless
		}
	}
	if f&AllowUnknownAuthority != 0 {
		o.Roots = x509.NewCertPool()
		o.Roots.AddCert(chain[0]) // whoever made it: anybody can make up an authority too
	}
	o.Intermediates = x509.NewCertPool()
	for _, cert := range chain[1:] {
		o.Intermediates.AddCert(cert)
	}
	for _, o.CurrentTime = range times {
		if _, again := chain[0].Verify(o); again == nil {
			return nil
		}
	}
	return err
}

func isX509(err error) bool {
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return authority || invalid
}
