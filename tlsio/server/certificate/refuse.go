package certificate

// refusal says why a type of store isn't read, and what to do.
func refusal(typ StoreType, format format) error {
	e := &Error{Type: typ, Kind: ErrUnsupported}
	switch format {
	case formatPPK:
		e.Reason = "PuTTY's private keys are not read"
		e.Fix = "convert it: puttygen KEY.ppk -O private-openssh -o KEY.pem, then use PEMKeyFile (6)"
	case formatXML:
		e.Reason = "keys and certificates in XML are not read"
		e.Fix = "export it as PEM (6), PFX (2) or JWK (18)"
	case formatBCFKS:
		e.Reason = "Bouncy Castle's key stores are not read"
		e.Fix = "convert it: keytool -importkeystore -srcstoretype BCFKS -deststoretype PKCS12, with Bouncy Castle as provider, then use PFXFile (2)"
	case formatPKCS11:
		e.Reason = "there are no PKCS#11 libraries here"
		e.Fix = "give the key that stays in hardware as a crypto.Signer to FromSigner"
	default:
		return nil
	}
	return e
}
