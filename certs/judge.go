package certs

import (
	"crypto/x509"
	"fmt"
	"time"
)

// expirySoon is when warnings about expiry begin.
const expirySoon = 30 * 24 * time.Hour

func (in *inspector) judgeAnchor(file string, cert *x509.Certificate) {
	in.problem(checkPublicKey(file, cert.PublicKey))
	in.problem(checkAuthority(file, cert, "a trust anchor"))
	// An anchor out of date cannot do harm: chains that end in it do not
	// verify. A device whose fifth authority has expired must still start.
	if e := in.checkValidity(file, cert); e != nil {
		e.Fix = "replace it if peers still use it, or remove it"
		in.warn(e)
	}
}

// judgeBundle judges every certificate in a bundle, and its place in the index.
func (in *inspector) judgeBundle(b *bundle) {
	for i := range b.n {
		cert, e := b.parse(i)
		if e != nil {
			in.problem(e)
			continue
		}
		in.report.Anchors = append(in.report.Anchors, Anchor{Group: b.group, File: b.name(i), Cert: cert})
		in.judgeAnchor(b.name(i), cert)
	}
}

// judgeDuplicates warns of anchors that are in a group twice: whoever removes one of
// them has not removed the authority.
func (in *inspector) judgeDuplicates() {
	seen := map[string]string{}
	for _, a := range in.report.Anchors {
		key := a.Group + "/" + string(a.Cert.Raw)
		if first, twice := seen[key]; twice {
			in.warn(fault(a.File, ErrDuplicate,
				"the same authority is in "+first,
				"remove one of them"))
			continue
		}
		seen[key] = a.File
	}
}

func (in *inspector) judgeIntermediate(file string, cert *x509.Certificate) {
	in.between = append(in.between, cert)
	in.problem(checkPublicKey(file, cert.PublicKey))
	in.problem(checkAuthority(file, cert, "an intermediate"))
	in.problem(checkSignatureAlgorithm(file, cert))
	in.judgeValidity(file, cert)
}

// checkAuthority is RFC 5280 §4.2.1.9 and §4.2.1.3. Certificates of version 1
// cannot say that they are authorities, and so are none.
func checkAuthority(file string, cert *x509.Certificate, role string) *FileError {
	e := &FileError{File: file, Kind: ErrNotCA}
	switch {
	case cert.Version < 3:
		e.Reason = fmt.Sprintf("%s must be a certificate authority, and this is an X.509 version %d certificate, which cannot say so", role, cert.Version)
	case !cert.BasicConstraintsValid || !cert.IsCA:
		e.Reason = role + " must be a certificate authority, and this certificate is not one (no basicConstraints CA:TRUE)"
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		e.Reason = role + " must be allowed to sign certificates, and this one's keyUsage lacks keyCertSign"
	default:
		return nil
	}
	e.Fix = "use the certificate of the authority that issued it"
	return e
}

// judgeLeaf checks everything about an identity's certificate that does not
// need the other files.
func (in *inspector) judgeLeaf(file string, id *Identity) {
	cert := id.leaf
	in.problem(checkPublicKey(file, cert.PublicKey))
	in.problem(checkSignatureAlgorithm(file, cert))
	in.judgeValidity(file, cert)

	if !id.ForServers() && !id.ForClients() {
		in.problem(fault(file, ErrUsage,
			"the certificate's extendedKeyUsage allows neither TLS servers nor TLS clients",
			"request a certificate with serverAuth, clientAuth or both"))
	}
	// With TLS 1.3, and with ephemeral keys in TLS 1.2, the certificate's key
	// signs: RFC 8446 §4.4.2.2, RFC 8422 §5.1.
	if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		in.problem(fault(file, ErrUsage,
			"the certificate's keyUsage lacks digitalSignature, which TLS needs",
			"request a certificate with keyUsage digitalSignature"))
	}
	// Clients have not looked at the common name for years (RFC 9525 §2).
	// Certificates for clients only need no name.
	if id.ForServers() && len(cert.DNSNames) == 0 && len(cert.IPAddresses) == 0 {
		e := fault(file, ErrNoNames,
			"the certificate has no DNS name and no IP address in subjectAltName",
			"request one with subjectAltName, or with extendedKeyUsage clientAuth alone if it is for a TLS client")
		if cn := cert.Subject.CommonName; cn != "" {
			e.Reason += fmt.Sprintf(", only the common name %q, which clients ignore", cn)
		}
		in.problem(e)
	}
	for _, name := range cert.DNSNames {
		if why := badName(name); why != "" {
			in.problem(fault(file, ErrBadName,
				fmt.Sprintf("no client will ever match the DNS name %q: %s", name, why),
				"request a certificate with the name corrected"))
		}
	}
}

func (in *inspector) judgeValidity(file string, cert *x509.Certificate) {
	e := in.checkValidity(file, cert)
	switch {
	case e == nil:
	case e.Kind == ErrExpiresSoon:
		in.warn(e)
	default:
		in.problem(e)
	}
}

// checkValidity judges a certificate's validity, both ends included
// (RFC 5280 §4.1.2.5).
func (in *inspector) checkValidity(file string, cert *x509.Certificate) *FileError {
	now := in.now.UTC().Truncate(time.Second)
	clock := now.Format(time.RFC3339)
	switch {
	case cert.NotAfter.Before(cert.NotBefore):
		return fault(file, ErrExpired,
			"the certificate was never valid: its validity ends before it begins",
			"request a new certificate")
	case now.Before(cert.NotBefore):
		return fault(file, ErrNotYetValid,
			fmt.Sprintf("the certificate is valid from %s and the clock says %s", cert.NotBefore.Format(time.RFC3339), clock),
			"set the clock if it is wrong, or wait")
	case now.After(cert.NotAfter):
		return fault(file, ErrExpired,
			fmt.Sprintf("the certificate was valid until %s and the clock says %s", cert.NotAfter.Format(time.RFC3339), clock),
			"request a new certificate (development certificates: 'ingot certs init --force')")
	case cert.NotAfter.Sub(now) < expirySoon:
		return fault(file, ErrExpiresSoon,
			fmt.Sprintf("the certificate is valid only until %s", cert.NotAfter.Format(time.RFC3339)),
			"request a new certificate")
	}
	return nil
}

// checkSignatureAlgorithm refuses signatures that no current peer accepts. It
// does not apply to anchors: nobody verifies their signature.
func checkSignatureAlgorithm(file string, cert *x509.Certificate) *FileError {
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return fault(file, ErrWeakSignature,
			fmt.Sprintf("the certificate is signed with %v, which peers refuse", cert.SignatureAlgorithm),
			"have it issued again with a SHA-2 signature")
	}
	return nil
}

// judgeChain makes sure that each intermediate signed the certificate before
// it. TLS sends them in this order (RFC 8446 §4.4.2).
func (in *inspector) judgeChain(id *Identity, certPath string, files []string) {
	child, childFile := id.leaf, certPath
	for i, issuer := range id.chain {
		err := child.CheckSignatureFrom(issuer)
		// A certificate that is no authority, or a weak signature, has been
		// reported as such.
		if err != nil && checkAuthority(files[i], issuer, "") == nil && checkSignatureAlgorithm(childFile, child) == nil {
			e := &FileError{File: files[i], Kind: ErrChain, Err: err,
				Reason: "this certificate did not sign " + childFile,
				Fix:    fmt.Sprintf("put the certificate of %q here", child.Issuer)}
			for j, other := range id.chain {
				if j != i && child.CheckSignatureFrom(other) == nil {
					e.Err = nil
					e.Reason += ", " + files[j] + " did: the chain is out of order"
					e.Fix = "number the files so that each signed the one before"
				}
			}
			in.problem(e)
		}
		child, childFile = issuer, files[i]
	}
}

// judgeNames makes sure that every DNS name leads to one identity only of each kind
// of key, and looks for the home of keys that match nothing.
func (in *inspector) judgeNames() {
	var owners [keyKinds]map[string]*Identity
	for kind := range owners {
		owners[kind] = map[string]*Identity{}
	}
	for _, id := range in.report.Identities {
		if !id.ForServers() {
			continue
		}
		for _, name := range id.leaf.DNSNames {
			name = normalizeName(name)
			other, taken := owners[id.kind()][name]
			if taken && other != id {
				in.problem(fault(id.dir+"/"+certFile, ErrDuplicate,
					fmt.Sprintf("the name %q is also in %s/%s, and a client that asks for it can be shown only one certificate with a key of this kind, %s", name, other.dir, certFile, id.KeyType()),
					"leave the name in one of them"))
				continue
			}
			owners[id.kind()][name] = id
		}
	}
	for _, o := range in.orphans {
		for _, id := range in.report.Identities {
			if samePublicKey(o.public, id.leaf.PublicKey) {
				o.problem.Reason += ", but to " + id.dir + "/" + certFile
				break
			}
		}
	}
}
