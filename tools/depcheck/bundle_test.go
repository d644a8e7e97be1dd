package depcheck

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/tools/image"
)

// A bundle of 150 public authorities makes the default image 200 KB larger at most, with
// the code that reads it. It is in there as it is in the store, and so is a key: what
// package certs says of images.
func TestBundleImageSize(t *testing.T) {
	const most = 200_000
	bundle, err := certs.Bundle(certstest.PublicCAs(t, 150))
	if err != nil {
		t.Fatal(err)
	}
	ca := certstest.NewCA(t, certstest.Template{})
	id := ca.Issue(certstest.Template{Names: []string{"localhost"}})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddIdentity("default", id)

	program, err := filepath.Abs("../../firmware/cmd/ingot-firmware")
	if err != nil {
		t.Fatal(err)
	}
	// What the file grows by is that, up to the next page for each of its segments.
	build := func(overlay map[string]string) (size int64, file []byte) {
		store := filepath.Join(t.TempDir(), "store")
		tree.WriteDir(t, store)
		files, err := image.ReplaceDir(filepath.Join(program, "certs", "image"), store)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(files, overlay)
		im, err := image.Build(t.Context(), image.Options{
			Package: []string{firmware}, Output: filepath.Join(t.TempDir(), "image.elf"), Overlay: files, NoBudget: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(im.Path)
		if err != nil {
			t.Fatal(err)
		}
		return im.Code + im.Const + im.Data, data
	}
	without, _ := build(nil)

	// The same program, asking for the code that reads bundles.
	main := filepath.Join(program, "main.go")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	asking := strings.NewReplacer("Certs: store,", "Certs: store, Bundles: certs.Bundles(),", `"ingot.dev/firmware"`, "\"ingot.dev/certs\"\n\t\"ingot.dev/firmware\"").Replace(string(text))
	if strings.Count(asking, "certs.Bundles()") != 1 {
		t.Fatalf("%s doesn't make a firmware.Config as it did", main)
	}
	changed := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(changed, []byte(asking), 0o600); err != nil {
		t.Fatal(err)
	}
	tree["anchors/public/all.bundle"] = bundle
	with, data := build(map[string]string{main: changed})

	t.Logf("%d bytes without, %d with a bundle of %d bytes: %d more", without, with, len(bundle), with-without)
	if with-without > most || with-without < int64(len(bundle)) {
		t.Errorf("150 authorities cost an image %d bytes, %d are allowed", with-without, most)
	}
	for name, content := range tree {
		if !bytes.Contains(data, content) {
			t.Errorf("%s isn't in the image, byte for byte", name)
		}
	}
}
