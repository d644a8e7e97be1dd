package sbom

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"ingot.dev/certs"
	"ingot.dev/tools/image"
)

// Options says what to describe. Image is required.
type Options struct {
	Image string // file
	Board string
	Certs fs.FS       // the certificate store in it; nil for none
	Cuts  []image.Cut // Image.Cuts

	Assembly []string // Image.Assembly
	Portable string   // Image.Portable
}

// Write writes a bill as JSON.
func Write(w io.Writer, bom *cdx.BOM) error {
	e := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	e.SetPretty(true)
	return e.Encode(bom)
}

// Describe makes the bill of an image.
func Describe(o Options) (*cdx.BOM, error) {
	info, err := buildinfo.ReadFile(o.Image)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Image, err)
	}
	b, err := os.ReadFile(o.Image)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	whole := cdx.Component{
		Type:    cdx.ComponentTypeFirmware,
		BOMRef:  "image",
		Name:    info.Path,
		Version: info.Main.Version,
		Hashes:  &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
	}
	properties := []cdx.Property{{Name: "ingot:file", Value: filepath.Base(o.Image)}}
	if o.Board != "" {
		properties = append(properties, cdx.Property{Name: "ingot:board", Value: o.Board})
	}
	for _, s := range info.Settings {
		properties = append(properties, cdx.Property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	if o.Portable != "" {
		properties = append(properties, cdx.Property{Name: "ingot:portable-cryptography", Value: o.Portable})
	}
	whole.Properties = &properties

	std := strings.TrimPrefix(strings.Fields(info.GoVersion)[0], "go")
	components := []cdx.Component{{
		Type: cdx.ComponentTypeLibrary, BOMRef: "std", Name: "std", Version: info.GoVersion,
		Description: "Go standard library and runtime", PackageURL: packageURL("std", std),
		Pedigree: pedigree(o.Cuts, "", o.Assembly),
	}}
	needs := []string{"std"}
	for _, m := range info.Deps {
		c := module(m)
		c.Pedigree = pedigree(o.Cuts, m.Path, nil)
		components, needs = append(components, c), append(needs, c.BOMRef)
	}
	if o.Certs != nil {
		more, err := certificates(o.Certs)
		if err != nil {
			return nil, err
		}
		for _, c := range more {
			components, needs = append(components, c), append(needs, c.BOMRef)
		}
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &whole}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: "image", Dependencies: &needs}}
	return bom, nil
}

// pedigree says how the sources of a module were changed; nil if they weren't.
func pedigree(cuts []image.Cut, module string, assembly []string) *cdx.Pedigree {
	var names, notes []string
	for _, c := range cuts {
		if c.Module == module {
			names = append(names, c.Name)
		}
	}
	if names != nil {
		notes = append(notes, "compiled without: "+strings.Join(names, "; "))
	}
	if len(assembly) > 0 {
		notes = append(notes, "ARM assembly (ingot.dev/internal/armcrypto) in the place of portable code: "+strings.Join(assembly, "; "))
	}
	if notes == nil {
		return nil
	}
	return &cdx.Pedigree{Notes: strings.Join(notes, ". ")}
}

func module(m *debug.Module) cdx.Component {
	c := cdx.Component{Type: cdx.ComponentTypeLibrary, BOMRef: "module:" + m.Path, Name: m.Path, Version: m.Version}
	from := m
	if m.Replace != nil {
		from = m.Replace
		c.Properties = &[]cdx.Property{{Name: "go:replace", Value: strings.TrimSpace(from.Path + " " + from.Version)}}
	}
	if from.Version != "" && from.Version != "(devel)" {
		c.PackageURL = packageURL(from.Path, from.Version)
	}
	if from.Sum != "" {
		properties := []cdx.Property{{Name: "go:sum", Value: from.Sum}}
		if c.Properties != nil {
			properties = append(*c.Properties, properties...)
		}
		c.Properties = &properties
	}
	return c
}

// packageURL is a module's purl (ECMA-427). Its type golang has all in small letters.
func packageURL(path, version string) string {
	var parts []string
	for _, p := range strings.Split(strings.ToLower(path), "/") {
		parts = append(parts, url.PathEscape(p))
	}
	return "pkg:golang/" + strings.Join(parts, "/") + "@" + strings.ReplaceAll(url.PathEscape(version), "+", "%2B")
}

// certificates lists the certificates of a store.
func certificates(store fs.FS) ([]cdx.Component, error) {
	report := certs.Inspect(store, certs.Options{})
	if err := report.Err(); err != nil {
		return nil, err
	}
	var list []cdx.Component
	add := func(name string, der []byte) {
		sum := sha256.Sum256(der)
		list = append(list, cdx.Component{
			Type:   cdx.ComponentTypeCryptographicAsset,
			BOMRef: "certificate:" + name,
			Name:   name,
			Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
			CryptoProperties: &cdx.CryptoProperties{
				AssetType:             cdx.CryptoAssetTypeCertificate,
				CertificateProperties: properties(der),
			},
		})
	}
	err := fs.WalkDir(store, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || path.Base(name) == "key.der" {
			return err
		}
		if path.Ext(name) == ".bundle" {
			for _, a := range report.Anchors {
				if strings.HasPrefix(a.File, name+"#") {
					add(a.File, a.Cert.Raw)
				}
			}
			return nil
		}
		der, err := fs.ReadFile(store, name)
		if err != nil {
			return err
		}
		add(name, der)
		return nil
	})
	return list, err
}
