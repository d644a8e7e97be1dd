package main

import (
	"crypto/tls"
	"path/filepath"
	"regexp"
	"testing"

	"ingot.dev/qemu"
	"ingot.dev/tools/boottime"
	"ingot.dev/tools/image"
)

// mostToServe is what a configured gateway may take from power to serving, as a multiple
// of what the default firmware takes.
const mostToServe = 1.2

// TestFigureBoot counts the instructions from reset to the first handshake of the gateway
// and of the default firmware, which has the same certificates.
func TestFigureBoot(t *testing.T) {
	dir := example(t, "gateway")
	if _, err := qemu.Find(""); err != nil {
		t.Skip(err)
	}
	const firmware = "ingot.dev/firmware/cmd/ingot-firmware"
	folder, err := image.MainDir(t.Context(), image.Options{Package: []string{firmware}})
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := image.ReplaceDir(filepath.Join(folder, "certs", "image"), filepath.Join(dir, "certs", "image"))
	if err != nil {
		t.Fatal(err)
	}
	echo := filepath.Join(t.TempDir(), "echo.elf")
	if _, err := image.Build(t.Context(), image.Options{Package: []string{firmware}, Output: echo, Overlay: overlay, Symbols: true}); err != nil {
		t.Fatal(err)
	}
	gateway := filepath.Join(t.TempDir(), "gateway.elf")
	command(t, "build", "--config", filepath.Join(dir, "ingot.toml"), "--symbols", "-o", gateway, "--no-sbom", "--sizes=false")

	count := func(file string, port int, config *tls.Config) float64 {
		line, err := boottime.Trace(t.Context(), boottime.Options{Image: file, Port: port, Ready: regexp.MustCompile(`ready: TLS `), TLS: config})
		if err != nil {
			t.Fatal(err)
		}
		// The last step is the handshake, which is mutual with the gateway.
		return float64(line.Steps[len(line.Steps)-1].From)
	}
	one := count(echo, 8443, client(t, dir, false))
	other := count(gateway, 8883, client(t, dir, true))
	t.Logf("from power to serving: the default firmware %.2f M instructions, the configured gateway %.2f M, which is %.2f times as much (%.1f at most)",
		one/1e6, other/1e6, other/one, mostToServe)
	if other > mostToServe*one {
		t.Errorf("a configured gateway takes %.2f times as long as the default firmware, more than %.1f", other/one, mostToServe)
	}
}
