// Package certificate is the Certificate type of IPWorks: what a certificate
// says, in the strings that this API promises, and the stores from which one can
// be opened.
//
//	cert, err := certificate.Open(certificate.Source{
//		Type:     certificate.PFXFile,
//		FS:       os.DirFS("/etc/ssl"),
//		Name:     "server.pfx",
//		Password: "secret",
//		Subject:  "CN=www.example.com",
//	})
//	fmt.Println(cert.Subject(), cert.ExpirationDate())
//	pair, err := cert.TLS()
//
// [Open] stands for the constructors of the reference, [OpenStore] for what they
// have in common: it reads the whole store, and [Store.Find], [Store.FindEncoded]
// and [Store.Certificates] choose from it.
//
// # Stores
//
//	User, Machine           sections MY, CA and ROOT of a certs.Store
//	PFXFile, PFXBlob        PKCS#12 (RFC 7292)
//	JKSFile, JKSBlob        Java key store, as keytool -storetype JKS writes it
//	PEMKeyFile, PEMKeyBlob  PEM: keys (also encrypted, also OpenSSH's) and certificates
//	PublicKeyFile, ...Blob  certificate or public key, PEM or DER
//	SSHPublicKeyFile, ...   a line of authorized_keys, or RFC 4716
//	P7BFile, P7BBlob        PKCS#7 with certificates only
//	PPKFile, PPKBlob        PuTTY's private keys, versions 2 and 3
//	XMLFile, XMLBlob        RSAKeyValue (also private), ECKeyValue and X509Certificate
//	JWKFile, JWKBlob        JSON Web Key or key set (RFC 7517)
//	Auto                    any of these, told from its content
//
// BCFKS and PKCS#11 are refused by an [*Error] that says what to do instead. Stores may
// be Base64 text. Everything read is limited: [MaxStoreSize], [MaxEntries],
// [MaxIterations]. The formats are read by package certs/container, which is there for
// programs that need the certificates and keys of a file and no stores.
//
// # Keys
//
// Printing a [Certificate] in any format shows no key. [Certificate.PrivateKey]
// does, for keys that came out of a file; keys given as a crypto.Signer, and those
// of a certs.Store, are available but not exportable.
//
// The package is not part of the default firmware. It may be used from any number
// of goroutines.
package certificate
