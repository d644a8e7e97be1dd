package sbom

import (
	"bytes"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/tools/image"
)

// program is a Go program with modules.
func program(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", name, "./testdata/program").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return name
}

// store has an identity and an authority in a bundle.
func store(t *testing.T) fs.FS {
	t.Helper()
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"a.test"}}))
	bundle, err := certs.Bundle([]*x509.Certificate{ca.Cert})
	if err != nil {
		t.Fatal(err)
	}
	tree["anchors/all.bundle"] = bundle
	return tree.FS()
}

func write(t *testing.T, o Options) (text []byte, bom *cdx.BOM) {
	t.Helper()
	bom, err := Describe(o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, bom); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), bom
}

// schema is CycloneDX's own, which comes with the library.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Skip("the go command doesn't find the library: ", err)
	}
	const at = "http://cyclonedx.org/schema/"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for id, name := range map[string]string{"bom-1.7.schema.json": "bom-1.7.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json"} {
		f, err := os.Open(filepath.Join(strings.TrimSpace(string(out)), "schema", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		doc, err := jsonschema.UnmarshalJSON(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(at+id, doc); err != nil {
			t.Fatal(err)
		}
	}
	// The names of algorithms, of which the library leaves out the list; certificates
	// don't use it.
	any := map[string]any{"definitions": map[string]any{"algorithmFamiliesEnum": true, "ellipticCurvesEnum": true}}
	if err := c.AddResource(at+"cryptography-defs.schema.json", any); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(at + "bom-1.7.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The bill is valid, has every module and certificate with what identifies it, and no key.
func TestBill(t *testing.T) {
	const changed = "github.com/CycloneDX/cyclonedx-go"
	o := Options{Image: program(t), Board: "imx6ulevk", Certs: store(t), Cuts: []image.Cut{
		{Name: "a"}, {Module: changed, Name: "b"}, {Module: changed, Name: "c"}, {Module: "example.test/unused", Name: "d"},
	}, Assembly: []string{"e", "f"}, Portable: "not g"}
	text, bom := write(t, o)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	s := schema(t)
	if err := s.Validate(doc); err != nil {
		t.Errorf("%#v", err)
	}
	// The schema finds faults.
	(*bom.Components)[0].Type = "gadget"
	var bad bytes.Buffer
	if err := Write(&bad, bom); err != nil {
		t.Fatal(err)
	}
	if doc, err = jsonschema.UnmarshalJSON(&bad); err != nil || s.Validate(doc) == nil {
		t.Errorf("a component of an unknown type is valid: %v", err)
	}

	again, bom := write(t, o)
	if !bytes.Equal(again, text) {
		t.Error("the same image has another bill")
	}
	if bom.SerialNumber != "" || bom.Metadata.Timestamp != "" {
		t.Error("the bill has a number or a time of its own")
	}
	if bytes.Contains(text, []byte("key.der")) || bytes.Contains(text, []byte(filepath.Dir(o.Image))) {
		t.Error("the bill names a key, or a folder of this machine")
	}
	info, err := buildinfo.ReadFile(o.Image)
	if err != nil {
		t.Fatal(err)
	}
	byRef := map[string]cdx.Component{}
	for _, c := range *bom.Components {
		if _, twice := byRef[c.BOMRef]; twice {
			t.Errorf("two components are %s", c.BOMRef)
		}
		byRef[c.BOMRef] = c
		if c.PackageURL != "" && !regexp.MustCompile(`^pkg:golang/[a-z0-9._~%/-]+@[A-Za-z0-9._~%-]+$`).MatchString(c.PackageURL) {
			t.Errorf("%s: purl %q", c.BOMRef, c.PackageURL)
		}
		for _, h := range orNone(c.Hashes) {
			if b, err := hex.DecodeString(h.Value); err != nil || len(b) != 32 || h.Algorithm != cdx.HashAlgoSHA256 {
				t.Errorf("%s: hash %+v", c.BOMRef, h)
			}
		}
	}
	if len(info.Deps) == 0 {
		t.Fatal("the program has no modules")
	}
	for _, m := range info.Deps {
		if c := byRef["module:"+m.Path]; c.Version != m.Version || m.Sum != "" && c.PackageURL == "" {
			t.Errorf("%s: %+v", m.Path, c)
		}
	}
	if c := byRef["std"]; c.Version != info.GoVersion || !strings.HasPrefix(c.PackageURL, "pkg:golang/std@1.") {
		t.Errorf("the standard library is %+v", c)
	}
	for ref, want := range map[string]string{"std": "a. ARM assembly (ingot.dev/internal/armcrypto) in the place of portable code: e; f", "module:" + changed: "b; c"} {
		if p := byRef[ref].Pedigree; p == nil || p.Notes != "compiled without: "+want {
			t.Errorf("of %s was cut %+v, want %s", ref, p, want)
		}
	}
	for _, name := range []string{"certificate:identities/default/cert.der", "certificate:anchors/all.bundle#0"} {
		c, ok := byRef[name]
		if !ok || c.CryptoProperties.CertificateProperties.SubjectName == "" || len(orNone(c.Hashes)) != 1 {
			t.Errorf("%s is %+v", name, c)
		}
	}
	if !slices.Contains(*bom.Metadata.Component.Properties, cdx.Property{Name: "ingot:portable-cryptography", Value: "not g"}) {
		t.Errorf("nothing says what is portable: %v", *bom.Metadata.Component.Properties)
	}
	needs := (*bom.Dependencies)[0]
	if needs.Ref != bom.Metadata.Component.BOMRef || len(*needs.Dependencies) != len(byRef) {
		t.Errorf("the image depends on %d of %d components", len(*needs.Dependencies), len(byRef))
	}
	var parsed struct{ BOMFormat, SpecVersion string }
	if err := json.Unmarshal(text, &parsed); err != nil || parsed.BOMFormat != "CycloneDX" || parsed.SpecVersion != "1.7" {
		t.Errorf("%+v, %v", parsed, err)
	}
}

func orNone[T any](p *[]T) []T {
	if p == nil {
		return nil
	}
	return *p
}

func TestModule(t *testing.T) {
	for _, c := range []struct {
		in         debug.Module
		purl, more string
	}{
		{debug.Module{Path: "example.com/A!b", Version: "v1.2.3+incompatible", Sum: "h1:x="}, "pkg:golang/example.com/a%21b@v1.2.3%2Bincompatible", "go:sum=h1:x="},
		{debug.Module{Path: "ingot.dev", Version: "(devel)"}, "", ""},
		{debug.Module{Path: "a.test/a", Version: "v1.0.0", Replace: &debug.Module{Path: "b.test/b", Version: "v2.0.0", Sum: "h1:y="}}, "pkg:golang/b.test/b@v2.0.0", "go:replace=b.test/b v2.0.0 go:sum=h1:y="},
		{debug.Module{Path: "a.test/a", Version: "v1.0.0", Replace: &debug.Module{Path: "../a", Version: "(devel)"}}, "", "go:replace=../a (devel)"},
	} {
		got := module(&c.in)
		var more []string
		for _, p := range orNone(got.Properties) {
			more = append(more, p.Name+"="+p.Value)
		}
		if got.PackageURL != c.purl || strings.Join(more, " ") != c.more || got.Name != c.in.Path || got.Version != c.in.Version {
			t.Errorf("%+v: %+v, %q", c.in, got, more)
		}
	}
}

func TestDescribeRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Describe(Options{Image: text}); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("a text: %v", err)
	}
	if _, err := Describe(Options{Image: text + "x"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	bad := fstest.MapFS{"identities/default/cert.der": {Data: []byte("no certificate")}}
	if _, err := Describe(Options{Image: program(t), Certs: bad}); err == nil || !strings.Contains(err.Error(), "identities/default/") {
		t.Errorf("a bad store: %v", err)
	}
	if properties([]byte("x")) != nil {
		t.Error("a certificate was made of nothing")
	}
}
