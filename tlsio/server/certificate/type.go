package certificate

import "strconv"

// StoreType says what kind of store a [Source] is. The numbers are those of the
// reference.
type StoreType int

// The kinds of stores. There is no 20.
const (
	User             StoreType = 0 // the default
	Machine          StoreType = 1
	PFXFile          StoreType = 2
	PFXBlob          StoreType = 3
	JKSFile          StoreType = 4
	JKSBlob          StoreType = 5
	PEMKeyFile       StoreType = 6
	PEMKeyBlob       StoreType = 7
	PublicKeyFile    StoreType = 8
	PublicKeyBlob    StoreType = 9
	SSHPublicKeyBlob StoreType = 10
	P7BFile          StoreType = 11
	P7BBlob          StoreType = 12
	SSHPublicKeyFile StoreType = 13
	PPKFile          StoreType = 14
	PPKBlob          StoreType = 15
	XMLFile          StoreType = 16
	XMLBlob          StoreType = 17
	JWKFile          StoreType = 18
	JWKBlob          StoreType = 19
	BCFKSFile        StoreType = 21
	BCFKSBlob        StoreType = 22
	PKCS11           StoreType = 23
	Auto             StoreType = 99
)

// storeTypes holds, for each type, the reference's name and what a file of the
// type is read as.
var storeTypes = map[StoreType]struct {
	name   string
	format format
	file   bool
}{
	User:             {"cstUser", formatSystem, false},
	Machine:          {"cstMachine", formatSystem, false},
	PFXFile:          {"cstPFXFile", formatPFX, true},
	PFXBlob:          {"cstPFXBlob", formatPFX, false},
	JKSFile:          {"cstJKSFile", formatJKS, true},
	JKSBlob:          {"cstJKSBlob", formatJKS, false},
	PEMKeyFile:       {"cstPEMKeyFile", formatPEM, true},
	PEMKeyBlob:       {"cstPEMKeyBlob", formatPEM, false},
	PublicKeyFile:    {"cstPublicKeyFile", formatPublic, true},
	PublicKeyBlob:    {"cstPublicKeyBlob", formatPublic, false},
	SSHPublicKeyBlob: {"cstSSHPublicKeyBlob", formatSSH, false},
	P7BFile:          {"cstP7BFile", formatP7B, true},
	P7BBlob:          {"cstP7BBlob", formatP7B, false},
	SSHPublicKeyFile: {"cstSSHPublicKeyFile", formatSSH, true},
	PPKFile:          {"cstPPKFile", formatPPK, true},
	PPKBlob:          {"cstPPKBlob", formatPPK, false},
	XMLFile:          {"cstXMLFile", formatXML, true},
	XMLBlob:          {"cstXMLBlob", formatXML, false},
	JWKFile:          {"cstJWKFile", formatJWK, true},
	JWKBlob:          {"cstJWKBlob", formatJWK, false},
	BCFKSFile:        {"cstBCFKSFile", formatBCFKS, true},
	BCFKSBlob:        {"cstBCFKSBlob", formatBCFKS, false},
	PKCS11:           {"cstPKCS11", formatPKCS11, false},
	Auto:             {"cstAuto", formatAuto, false},
}

// String returns the name that the reference gives the type, as "cstPFXFile".
func (t StoreType) String() string {
	if s, ok := storeTypes[t]; ok {
		return s.name
	}
	return "store type " + strconv.Itoa(int(t))
}

// format is what the bytes of a store are.
type format int

const (
	formatAuto format = iota
	formatSystem
	formatPFX
	formatJKS
	formatPEM
	formatPublic
	formatSSH
	formatP7B
	formatPPK
	formatXML
	formatJWK
	formatBCFKS
	formatPKCS11
	formatDER // one object in DER, of whatever kind; only Auto leads here
)
