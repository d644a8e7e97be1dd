package container_test

import (
	"bytes"
	"crypto"
	"embed"
	"encoding/base64"
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"

	"ingot.dev/certs/container"
)

const password = "changeit"

// The files are part of the test binary, so that it has them on a board too.
//
//go:embed testdata
var testdata embed.FS

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := testdata.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// glob returns the names in testdata of some patterns; there is at least one for each.
func glob(t testing.TB, patterns ...string) (names []string) {
	t.Helper()
	for _, pattern := range patterns {
		found, err := fs.Glob(testdata, "testdata/"+pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, name := range found {
			if name = path.Base(name); !strings.HasPrefix(name, "refused.") {
				names = append(names, name)
			}
		}
	}
	return names
}

// public is what NAME.pub says about the key NAME, in SSH's form.
func public(t testing.TB, name string) []byte {
	t.Helper()
	base, _, _ := strings.Cut(name, ".")
	blob, err := base64.StdEncoding.DecodeString(strings.Fields(string(file(t, base+".pub")))[1])
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// checkKey signs with a key and compares it with what ssh-keygen said about it.
func checkKey(t *testing.T, key crypto.Signer, want []byte) {
	t.Helper()
	if got := container.MarshalSSHPublicKey(key.Public()); !bytes.Equal(got, want) {
		t.Fatalf("it is another key: %x, want %x", got, want)
	}
	sign(t, key)
}

// refused checks that Read gives an *Error of the kind, complete.
func refused(t *testing.T, data []byte, o container.Options, kind error) *container.Error {
	t.Helper()
	found, err := container.Read(data, o)
	e, ok := errors.AsType[*container.Error](err)
	if !ok || found != nil || !errors.Is(err, kind) || e.Reason == "" {
		t.Fatalf("Read = %v, %v; want the kind %q", found, err, kind)
	}
	return e
}
