package sbom

import (
	"crypto/x509"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// properties describes a certificate; nil if der is none.
func properties(der []byte) *cdx.CertificateProperties {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return &cdx.CertificateProperties{
		SubjectName:       c.Subject.String(),
		IssuerName:        c.Issuer.String(),
		NotValidBefore:    c.NotBefore.UTC().Format(time.RFC3339),
		NotValidAfter:     c.NotAfter.UTC().Format(time.RFC3339),
		CertificateFormat: "X.509",
	}
}
