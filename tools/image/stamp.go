package image

import (
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sourceDate is a day on which Ingot's sources were as they are: no image is older.
// Seconds since 1970.
const sourceDate = 1795305600 // 2026-11-22

// buildStamp is the time that a firmware's clock never goes below. It comes from what
// the image is made of and not from the clock, so that the same sources give the same
// bytes: the newest certificate in the store was made after it. SOURCE_DATE_EPOCH
// (https://reproducible-builds.org/specs/source-date-epoch/) says another time.
func buildStamp(epoch, store string, overlay map[string]string, now time.Time) (int64, error) {
	if epoch != "" {
		sec, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil || sec <= 0 {
			return 0, fmt.Errorf("SOURCE_DATE_EPOCH=%q: give seconds since 1970, or leave it out", epoch)
		}
		return sec, nil
	}
	newest := int64(sourceDate)
	see := func(file string) {
		der, err := os.ReadFile(file)
		if err != nil {
			return // what is wrong with the store is said elsewhere
		}
		// One that isn't valid yet is no reason to set the clock forward.
		if c, err := x509.ParseCertificate(der); err == nil && !c.NotBefore.After(now) {
			newest = max(newest, c.NotBefore.Unix())
		}
	}
	filepath.WalkDir(store, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(file) != ".der" {
			return nil
		}
		if _, hidden := overlay[file]; !hidden {
			see(file)
		}
		return nil
	})
	for path, file := range overlay {
		if file != "" && filepath.Ext(path) == ".der" && strings.HasPrefix(path, store+string(filepath.Separator)) {
			see(file)
		}
	}
	return newest, nil
}
