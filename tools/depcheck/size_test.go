package depcheck

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ingot.dev/tools/image"
)

// sizeLimits is what the default image may weigh, by Go release. In what there is between
// them and what it does weigh, code may still be inlined that is worth it.
var sizeLimits = []struct {
	release string
	bytes   int64
}{
	{"go1.26", 6_500_000},
	{"go1.27", 6_500_000},
}

// The default image keeps its size. When this fails, 'ingot build --symbols' and
// 'go tool nm -size -sort size' tell what has grown; package image says what has
// been done about it so far.
func TestImageSize(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("without a shell, images are larger; see package image")
	}
	im, err := image.Build(t.Context(), image.Options{
		Package: []string{"ingot.dev/firmware/cmd/ingot-firmware"},
		Output:  filepath.Join(t.TempDir(), "image.elf"),
	})
	if err != nil {
		t.Fatal(err)
	}
	// Names of files are most of what is in no table of symbols; see package image.
	if data, err := os.ReadFile(im.Path); err != nil {
		t.Error(err)
	} else if i := bytes.Index(data, []byte("gvisor.dev/gvisor@")); i >= 0 {
		t.Errorf("file names with a module's version: %q", data[i:i+80])
	}
	for _, limit := range sizeLimits {
		if strings.HasPrefix(runtime.Version(), limit.release) {
			if im.Size >= limit.bytes {
				t.Errorf("%d bytes with %s, %d allowed", im.Size, runtime.Version(), limit.bytes-1)
			}
			return
		}
	}
	t.Skipf("no limit is known for %s: the image has %d bytes", runtime.Version(), im.Size)
}
