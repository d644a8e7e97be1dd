package certificate

import (
	"strconv"

	"ingot.dev/certs/container"
)

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
	format container.Format
	file   bool
}{
	User:             {name: "cstUser"},
	Machine:          {name: "cstMachine"},
	PFXFile:          {"cstPFXFile", container.PKCS12, true},
	PFXBlob:          {"cstPFXBlob", container.PKCS12, false},
	JKSFile:          {"cstJKSFile", container.JKS, true},
	JKSBlob:          {"cstJKSBlob", container.JKS, false},
	PEMKeyFile:       {"cstPEMKeyFile", container.PEM, true},
	PEMKeyBlob:       {"cstPEMKeyBlob", container.PEM, false},
	PublicKeyFile:    {"cstPublicKeyFile", container.Public, true},
	PublicKeyBlob:    {"cstPublicKeyBlob", container.Public, false},
	SSHPublicKeyBlob: {"cstSSHPublicKeyBlob", container.SSHPublic, false},
	P7BFile:          {"cstP7BFile", container.PKCS7, true},
	P7BBlob:          {"cstP7BBlob", container.PKCS7, false},
	SSHPublicKeyFile: {"cstSSHPublicKeyFile", container.SSHPublic, true},
	PPKFile:          {"cstPPKFile", container.PPK, true},
	PPKBlob:          {"cstPPKBlob", container.PPK, false},
	XMLFile:          {"cstXMLFile", container.XML, true},
	XMLBlob:          {"cstXMLBlob", container.XML, false},
	JWKFile:          {"cstJWKFile", container.JWK, true},
	JWKBlob:          {"cstJWKBlob", container.JWK, false},
	BCFKSFile:        {"cstBCFKSFile", container.BCFKS, true},
	BCFKSBlob:        {"cstBCFKSBlob", container.BCFKS, false},
	PKCS11:           {name: "cstPKCS11"},
	Auto:             {"cstAuto", container.Auto, false},
}

// String returns the name that the reference gives the type, as "cstPFXFile".
func (t StoreType) String() string {
	if s, ok := storeTypes[t]; ok {
		return s.name
	}
	return "store type " + strconv.Itoa(int(t))
}
