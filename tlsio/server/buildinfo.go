package server

import (
	"runtime"
	"runtime/debug"
)

// buildInfo says what was built, of which module and version, by which Go.
func buildInfo() string {
	module, version := "ingot.dev", "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && m.Version != "" {
				version = m.Version
			}
		}
	}
	return module + " " + version + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// licenseInfo has the reference's lines as far as there is anything to say: no key
// is needed.
func licenseInfo() string {
	return "Product: Ingot\nProduct Key: none needed\nLicense Source: file LICENSE of the module\nLicense Type: Apache License 2.0\nLast Valid Build: all"
}
