package certs_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
)

// secretForms returns how the secret of a key might appear in printed text:
// parts of it in decimal, hexadecimal, base64 and as Go prints byte slices.
func secretForms(key crypto.Signer) []string {
	var raw []byte
	var forms []string
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		raw, _ = key.Bytes()
		forms = append(forms, key.D.String())
	case *rsa.PrivateKey:
		raw = key.D.Bytes()
		forms = append(forms, key.D.String(), key.Primes[0].String())
	case ed25519.PrivateKey:
		raw = key.Seed()
	}
	part := raw[:8]
	list := fmt.Sprint(part)
	return append(forms,
		hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
		fmt.Sprintf("% x", part), strings.Trim(list, "[]"),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}"),
		base64.StdEncoding.EncodeToString(raw[:6]), string(part))
}

func TestKeysAreNeverPrinted(t *testing.T) {
	for _, algorithm := range []certstest.Algorithm{certstest.ECDSAP256, certstest.Ed25519, certstest.RSA2048} {
		t.Run(string(algorithm), func(t *testing.T) {
			ca := certstest.NewCA(t, certstest.Template{})
			made := ca.Issue(certstest.Template{Names: []string{"a.test"}, Algorithm: algorithm})
			tree := certstest.Tree{}
			tree.AddIdentity("only", made)
			store, err := certs.Load(tree.FS(), certs.Options{})
			if err != nil {
				t.Fatal(err)
			}
			id, _ := store.Identity("only")
			pair := id.TLS()

			type hidden struct { // fields that fmt may not call methods on
				id    *certs.Identity
				copy  certs.Identity
				store certs.Store
				key   crypto.PrivateKey
			}
			values := map[string]any{
				"identity":        id,
				"identity value":  *id,
				"store":           store,
				"store value":     *store,
				"tls.Certificate": pair,
				"pointer to it":   &pair,
				"key":             pair.PrivateKey,
				"list":            []any{id, pair, pair.PrivateKey},
				"unexported":      hidden{id, *id, *store, pair.PrivateKey},
			}
			for what, v := range values {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
					assertRedacted(t, fmt.Sprintf(verb, v), made.Key)
					if t.Failed() {
						t.Fatalf("%s with %s", what, verb)
					}
				}
				if text, err := json.Marshal(v); err == nil {
					assertRedacted(t, string(text), made.Key)
				}
				for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
					"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
					"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
				} {
					var b bytes.Buffer
					slog.New(handler(&b)).Info("message", "value", v)
					assertRedacted(t, b.String(), made.Key)
					if t.Failed() {
						t.Fatalf("%s in a %s log", what, name)
					}
				}
			}

			if got := fmt.Sprint(pair.PrivateKey); !strings.HasSuffix(got, "private key (redacted)") {
				t.Errorf("a key prints as %q", got)
			}
			if got, want := fmt.Sprintf("%+v", id), `identity "only" (a.test; `; !strings.HasPrefix(got, want) {
				t.Errorf("an identity prints as %q, want it to start with %q", got, want)
			}
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("m", "id", id)
			if !strings.Contains(b.String(), "id.name=only id.names=a.test") {
				t.Errorf("an identity logs as %q", b.String())
			}
		})
	}
}

// The test above must be able to find a key that is printed.
func TestSecretFormsAreFound(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	key := ca.Issue(certstest.Template{Algorithm: certstest.Ed25519}).Key
	for _, verb := range []string{"%v", "%#v", "%x", "%X", "%s"} {
		text, found := fmt.Sprintf(verb, key), false
		for _, form := range secretForms(key) {
			found = found || strings.Contains(text, form)
		}
		if !found {
			t.Errorf("%s of a bare key is not recognised", verb)
		}
	}
}

func TestNilIdentityPrints(t *testing.T) {
	var id *certs.Identity
	if got := fmt.Sprintf("%v %s", id, id.LogValue()); got != "no identity no identity" {
		t.Errorf("prints %q", got)
	}
}
