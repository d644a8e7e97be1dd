// Package certs reads the certificates and keys that are compiled into a
// firmware image and hands them to crypto/tls.
//
// A store is a folder of DER files, usually embedded:
//
//	anchors/                    whom we trust
//	    ca.der                      in the group "" (ungrouped)
//	    clients/ca.der              in the group "clients"
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
