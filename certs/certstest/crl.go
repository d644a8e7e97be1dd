package certstest

import (
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"time"
)

// A RevocationTemplate says what a certificate revocation list shall hold. The zero
// value makes one that revokes nothing, valid from an hour ago for a month.
type RevocationTemplate struct {
	ThisUpdate, NextUpdate time.Time
	Revoked                []*Identity
	// Modify has the last word before the list is signed.
	Modify func(*x509.RevocationList)
}

// CRL makes a certificate revocation list of the authority's, in DER.
func (ca *CA) CRL(t RevocationTemplate) []byte {
	ca.tb.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: t.ThisUpdate, NextUpdate: t.NextUpdate}
	if list.ThisUpdate.IsZero() {
		list.ThisUpdate = time.Now().Add(-time.Hour)
	}
	if list.NextUpdate.IsZero() {
		list.NextUpdate = list.ThisUpdate.Add(30 * 24 * time.Hour)
	}
	for _, id := range t.Revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: id.Cert.SerialNumber, RevocationTime: list.ThisUpdate})
	}
	if t.Modify != nil {
		t.Modify(list)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.Cert, ca.Key)
	if err != nil {
		ca.tb.Fatalf("certstest: making a revocation list: %v", err)
	}
	return der
}
