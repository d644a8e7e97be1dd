package certs

import (
	"crypto"
	"crypto/x509"
	"io/fs"
	"path"
)

// A Keeper holds private keys outside of the store: in a secure element, in a block of
// the processor such as the i.MX6UL's CAAM, in another process. It is asked once for
// each of its keys, when the store is loaded, and returns what signs with that key; the
// key itself stays where it is. What it returns is used by any number of goroutines at
// once. An error makes Load fail, as does a signer whose public key is not the
// certificate's.
type Keeper func(KeptKey) (crypto.Signer, error)

// KeptKey says which key is wanted of a [Keeper].
type KeptKey struct {
	Identity    string            // the name of the identity
	Certificate *x509.Certificate // for its public key
	// Reference is what is in the identity's key.kept. The store reads no meaning into
	// it: a slot's number, a label, the key itself wrapped by one that only the keeper
	// has. It may be empty.
	Reference []byte
}

// Kept reports whether a [Keeper] holds the key, not the store.
func (id *Identity) Kept() bool { return id.kept }

// A KeyReader is the code that gets keys from a [Keeper]. It comes from [KeptBy].
type KeyReader struct {
	read func(in *inspector, file string, id *Identity)
}

// KeptBy is for [Options]: it says who holds the keys that are not in the store.
// Programs that don't call it don't carry the code.
func KeptBy(keeper Keeper) KeyReader {
	return KeyReader{func(in *inspector, file string, id *Identity) { in.askKeeper(keeper, file, id) }}
}

// withoutKeeper is for Inspect, which can say all of a kept key but that it is the
// right one.
func (in *inspector) withoutKeeper(file string, id *Identity) {
	in.read(file)
	in.judgeKept(file, id)
}

// judgeKept makes sure that it is clear where the key is.
func (in *inspector) judgeKept(file string, id *Identity) {
	if _, err := fs.Stat(in.fsys, path.Join(id.dir, keyFile)); err == nil {
		in.problem(&FileError{File: file, Kind: ErrDuplicate,
			Reason: "the key is said to be kept elsewhere, and is also here, in " + keyFile,
			Fix:    "remove one of the files"})
	}
}

// askKeeper gets the signer of an identity whose folder says that its key is kept
// elsewhere.
func (in *inspector) askKeeper(keeper Keeper, file string, id *Identity) {
	in.judgeKept(file, id)
	reference, ok := in.read(file)
	if !ok || id.leaf == nil {
		return
	}
	signer, err := keeper(KeptKey{id.name, id.leaf, reference})
	if err != nil || signer == nil {
		in.problem(&FileError{File: file, Kind: ErrKeeper, Err: err,
			Reason: "the keeper has given no key for the identity",
			Fix:    "see that it holds the key that this file refers to"})
		return
	}
	id.key = newPrivateKey(signer)
}
