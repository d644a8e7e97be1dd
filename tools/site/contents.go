package main

// A group is a part of the table of contents: documents, relative to the repository, in the
// order in which they are to be read.
type group struct {
	Title     string
	Documents []string
}

// contents has every document of the site.
var contents = []group{
	{"Begin", []string{
		"README.md",
		"docs/getting-started.md",
		"docs/first-device.md",
	}},
	{"Write firmware", []string{
		"docs/tlsio.md",
		"docs/firmware.md",
		"docs/configuration.md",
		"docs/certificates.md",
		"docs/ingot.md",
		"docs/debugging.md",
	}},
	{"Boards", []string{
		"docs/boards.md",
		"docs/flashing.md",
		"docs/porting.md",
	}},
	{"Judge it", []string{
		"CAVEATS.md",
		"docs/security.md",
		"SECURITY.md",
	}},
	{"How it works", []string{
		"docs/architecture.md",
		"docs/performance.md",
		"docs/ciphers.md",
		"docs/connections.md",
		"CONTRIBUTING.md",
	}},
	{"Examples", []string{
		"examples/sensor/README.md",
		"examples/pinned/README.md",
		"examples/baremetal/README.md",
	}},
	{"Conformance", []string{
		"docs/conformance/README.md",
		"docs/conformance/ecma-419.md",
		"docs/conformance/bun.md",
		"docs/conformance/iotjs.md",
		"docs/conformance/tls-json.md",
		"docs/conformance/ipworks.md",
	}},
}
