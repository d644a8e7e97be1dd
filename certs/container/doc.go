// Package container reads the files in which certificates and keys come, whatever
// their format, into the types of crypto/x509:
//
//	data, err := os.ReadFile("server.p12")
//	found, err := container.Read(data, container.Options{Password: "secret"})
//	cert := found.Certificates[0]
//	key := found.Key(cert) // a crypto.Signer
//
// # Formats
//
//	PEM        RFC 7468: certificates, public keys, PKCS#7, and private keys in PKCS#8,
//	           PKCS#1, SEC 1 and OpenSSH's form; also encrypted: PBES2 with PBKDF2 or
//	           scrypt, OpenSSL's old headers, OpenSSH's bcrypt
//	DER        certificates in a row, or one key, encrypted or not
//	PKCS12     RFC 7292, as OpenSSL, Windows and Java write it
//	PKCS7      RFC 2315: the certificates of a SignedData
//	JKS        Java's key store before PKCS#12
//	JWK        JSON Web Key or key set: RFC 7517, RFC 7518, RFC 8037
//	SSHPublic  a line of authorized_keys, RFC 4716, or the key as SSH sends it
//	PPK        PuTTY's private keys, versions 2 and 3
//	XML        RSAKeyValue (with .NET's private members), ECKeyValue and X509Certificate
//	           of XML Signature, alone or in a document
//
// [Sniff] tells them apart by content, and [Read] does so if it isn't told. Base64
// around a file is seen through.
//
// Bouncy Castle's BCFKS, Java's JCEKS, PuTTY's version 1 and other things that can be
// recognized but are not read are refused by an [*Error] that names the command that
// converts them.
//
// # Limits
//
// Files come from anywhere, and passwords are stretched by parameters that stand in
// the file. [MaxSize], [MaxEntries], [MaxIterations] and [MaxMemory] bound what one can
// cost; RSA keys end at 16384 bits.
//
// The package is for hosts, and for programs that link it; it is not part of the
// default firmware, which reads DER only: see package certs. It may be used from any
// number of goroutines.
package container
