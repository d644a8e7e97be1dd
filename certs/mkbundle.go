package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"slices"
)

// Bundle makes the bundle of certificates, whose order doesn't matter: the same
// certificates give the same bytes. One that is there twice is taken once. Whether
// they may be anchors is for [Inspect] to say.
func Bundle(certs []*x509.Certificate) ([]byte, error) {
	type item struct {
		cert        *x509.Certificate
		fingerprint [sha256.Size]byte
	}
	var items []item
	for _, cert := range certs {
		if len(cert.Raw) == 0 || len(cert.Raw) > MaxFileSize {
			return nil, fmt.Errorf("certs: a certificate of %d bytes: 1 to %d are allowed", len(cert.Raw), MaxFileSize)
		}
		items = append(items, item{cert, sha256.Sum256(cert.Raw)})
	}
	slices.SortFunc(items, func(a, b item) int { return bytes.Compare(a.fingerprint[:], b.fingerprint[:]) })
	items = slices.CompactFunc(items, func(a, b item) bool { return a.fingerprint == b.fingerprint })
	if len(items) == 0 || len(items) > MaxAnchors {
		return nil, fmt.Errorf("certs: a bundle of %d certificates: 1 to %d are allowed", len(items), MaxAnchors)
	}
	offset := bundleHeader + len(items)*entrySize
	var index, data []byte
	for _, it := range items {
		keyID, subject := tag(it.cert.SubjectKeyId), tag(it.cert.RawSubject)
		index = append(index, it.fingerprint[:]...)
		index = append(index, keyID[:]...)
		index = append(index, subject[:]...)
		index = binary.BigEndian.AppendUint32(index, uint32(offset+len(data)))
		data = append(data, it.cert.Raw...)
	}
	size := offset + len(data)
	if size > MaxBundleSize {
		return nil, fmt.Errorf("certs: a bundle of %d bytes: %d are allowed", size, MaxBundleSize)
	}
	out := []byte(bundleMagic)
	out = binary.BigEndian.AppendUint32(out, uint32(len(items)))
	out = binary.BigEndian.AppendUint32(out, uint32(size))
	sum := bundleSum(out, index)
	return slices.Concat(out, sum[:], index, data), nil
}
