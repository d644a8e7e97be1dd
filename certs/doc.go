// Package certs reads the certificates and keys that are compiled into a
// firmware image and hands them to crypto/tls.
//
// A store is a folder of DER files, usually embedded:
//
//	anchors/                    whom we trust
//	    ca.der                      in the group "" (ungrouped)
//	    clients/ca.der              in the group "clients"
//	    public/all.bundle           many, in the group "public"; see Bundles
//	identities/                 who we are
//	    default/cert.der            the certificate
//	    default/chain1.der          its issuer, if that is an intermediate
//	    default/chain2.der          the issuer of chain1.der, and so on
//	    default/key.der             the private key, PKCS#8 (RFC 5958)
//	    vault/cert.der              another identity, whose key
//	    vault/key.kept              is not here; see Keys
//	intermediates/              who vouches for us
//	    issuing.der                 for any identity whose folder lacks it
//	crls/                       what was revoked; see Rules
//	    ca.crl                      a certificate revocation list (RFC 5280 section 5)
//	pins/                       which keys we insist on; see Rules
//	    api.example.com.pins        of a host, a group, or anything else
//
// Only anchors or identities must be there. What begins with a dot or an underscore, and
// notes (.md, .txt), play no role.
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
// errors.Is. The same code runs in "ingot certs check" when an image is built
// and in the firmware when it starts, so what the build accepted can only be
// refused later because time has passed, or because the program doesn't ask for what
// the store holds: [Options] has Bundles, Rules and Keeper.
//
// # In an image
//
// go:embed puts the files into the image's read-only data, byte for byte, uncompressed
// and unencrypted, private keys too: whoever reads the flash has them. Name the folder
// with "all:" before it, or be content that go:embed leaves out the names that the store
// doesn't look at either. A file costs its own bytes and little more. Load copies what it
// parses, and of a bundle the index; the rest stays where it is.
//
// # Keys
//
// Private keys stay inside: printing or logging any type of this package, or a
// tls.Certificate that came from it, in any format, shows no key. The memory that a
// key's file was read into is wiped before Load returns; see CAVEATS.md for what Go
// keeps all the same.
//
// A key need not be in the store. An identity with key.kept in place of key.der has it
// elsewhere, and Load asks a [Keeper] for a crypto.Signer (see [KeptBy]):
//
//	store, err := certs.Load(fsys, certs.Options{Keeper: certs.KeptBy(element.Signer)})
//
// key.kept holds whatever the keeper wants to be told, a slot's number or the key itself
// wrapped by another, and may be empty.
//
// # Chains
//
// An identity is sent with the intermediates in its folder and, where these don't lead
// up to a root, with those that do from other identities' folders and from the folder
// intermediates; so these are there once for many identities. Roots are not sent.
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
// and 55 ms and more. A chain's anchor is found with 10 KB. The code is about 20 KB of an
// image, in programs that call [Bundles] only.
//
// # Rules
//
// Beside anchors, what peers are judged by are lists of revoked certificates and pins.
// A program that reads them says so, and hands them on in a line each:
//
//	store, err := certs.Load(fsys, certs.Options{Rules: certs.Rules()})
//	options.With = []tlsio.Feature{
//		tlsio.RootsFor(store.Trust("public")),
//		tlsio.CRLs{DER: store.CRLs()},
//		tlsio.Pins(store.Pins("api.example.com")),
//	}
//
// A program that doesn't ask for rules refuses a store that has some: leaving them out
// would be a hole that nobody sees.
//
// Lists are whole lists of all that an authority has revoked, in DER. One that an
// authority in the store should have signed and hasn't is refused; so is the store if a
// list revokes an identity. Lists out of date are warned of: what they mean for peers is
// for tlsio.CRLs to say.
//
// A set of pins is text. Each line has a role, a pin (the SHA-256 of a public key,
// RFC 7469 section 2.4, in base64) and, if you like, what it is; lines that begin with #
// are notes:
//
//	primary sha256/rDVmHkpyqR9qKPBqzFZ4hXFFK2/cRbP2Wo2ctIcNdiE= the server's key
//	backup  sha256/FJXv0R0jNLkLbLkNC8oW1B3N8ciCDgyoL6sfK2vJXGs= in the safe
//
// There must be one of each: with no other key to go to, a lost one locks everybody out.
// 'ingot certs crl' and 'ingot certs pin' make these files.
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
