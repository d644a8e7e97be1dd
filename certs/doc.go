// Package certs reads the certificates and keys that are compiled into a
// firmware image and hands them to crypto/tls.
//
// A store is a folder of DER files, usually embedded:
//
//	anchors/                    whom we trust
//	    ca.der                      in the group "" (ungrouped)
//	    clients/ca.der              in the group "clients"
//	    public/all.bundle           many, in the group "public"; see below
//	identities/                 who we are
//	    default/cert.der            the certificate
//	    default/chain1.der          its issuer, if that is an intermediate
//	    default/chain2.der          the issuer of chain1.der, and so on
//	    default/key.der             the private key, PKCS#8 (RFC 5958)
//
//	//go:embed certs
//	var embedded embed.FS
//
//	fsys, _ := fs.Sub(embedded, "certs")
//	store, err := certs.Load(fsys, certs.Options{})
//	config := &tls.Config{
//		GetCertificate: store.GetCertificate,
//		ClientCAs:      store.Roots("clients"),
//		ClientAuth:     tls.RequireAndVerifyClientCert,
//	}
//
// DER only, one object to a file: a device should not carry a PEM parser's
// leniency, and what is embedded is byte for byte what goes on the wire.
// Other formats are read by package certs/container, when a store is made:
// "ingot certs import" does that.
//
// # Refusals
//
// [Load] accepts a store only if nothing in it is wrong, and otherwise reports
// everything that is wrong at once, each as a [*FileError] with the file, the
// reason, what to do, and a sentinel ([ErrPEM], [ErrKeyMismatch], ...) for
// errors.Is. The same Load runs in "ingot certs check" when an image is built
// and in the firmware when it starts, so what the build accepted can only be
// refused later because time has passed.
//
// Private keys stay inside: printing or logging any type of this package, or a
// tls.Certificate that came from it, in any format, shows no key.
//
// # Bundles
//
// Anchors by the hundred come in a bundle: a file of DER certificates behind an index, in
// any group, beside .der files. 'ingot certs bundle' makes it, [Bundle] in Go. When a
// store is loaded only the index is read and checked; a certificate is read, compared
// with the index, parsed and judged when a chain needs it, and then forgotten.
//
//	store, err := certs.Load(fsys, certs.Options{Bundles: certs.Bundles()})
//	pool, err := store.RootsFor(chain, "public")   // what tlsio.RootsFor asks
//
// The file, on disk and in an image, has numbers in big-endian order:
//
//	 0   8  "INGOTCA1"
//	 8   4  n, the number of certificates, 1 to MaxAnchors
//	12   4  length of the whole file, at most MaxBundleSize
//	16  32  SHA-256 of the 16 bytes before and of the entries
//	48 52n  entries, by ascending fingerprint:
//	        32  fingerprint: SHA-256 of the certificate
//	         8  first bytes of SHA-256 of its subject key identifier; 0 without one
//	         8  first bytes of SHA-256 of its subject, in DER
//	         4  its offset in the file
//	    ...  certificates, in the order and without gaps
//
// The index finds certificates and vouches for none: what is parsed must have the
// fingerprint, key id and subject that its entry says. A damaged file hides an anchor,
// with an error; it makes none. [Inspect], 'ingot certs check' and 'ingot build' judge
// every certificate in it as they do files; Load has not: it takes an anchor that has
// no business in a store for none when it meets it.
//
// The 142 public authorities of Debian 12 make 162 KB, 171 KB for 150. For 150, Load takes
// 10 KB of memory and, on an emulated Cortex-A7, 0.7 ms; as files they take 0.5 to 1.2 MB
// and 55 ms and more. A chain's anchor is found with 10 KB. The code is about 8 KB of an
// image, in programs that call [Bundles] only.
//
// # Selection
//
// A TLS server's certificate is chosen by the name the client asks for (SNI,
// RFC 6066 §3): the identity that carries exactly that name, else the one with
// a wildcard for it (one whole label, RFC 9525 §6.3), else the default: the
// identity called "default", or the only one there is. With no default, a
// client that asks for an unknown name is answered with the alert
// unrecognized_name. A name may be carried by several identities if their keys are of
// different kinds, ECDSA and RSA for example: then the client is shown the first, in
// that order, that it can verify. Identities whose certificate is for clients only take no
// part in this; they are found by [Store.Identity].
package certs
