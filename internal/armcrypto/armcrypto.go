package armcrypto

import (
	"embed"
	"strings"
)

// Releases are the Go releases with which the assembly was checked. Others have the
// portable code: they may call it in other ways.
var Releases = []string{"go1.26.8", "go1.27.4"}

// A Package is one of the standard library that gets assembly.
type Package struct {
	// Path is its import path, as "go list" has it.
	Path string
	// Sums are the SHA-256 of those of its files that ours are written against. With
	// others, the package stays as it is.
	Sums map[string]string
	// Hide are those of its files that aren't to be compiled.
	Hide []string
	// Folder is the one with our files here.
	Folder string
}

// The portable code that is called beside ours, or whose types ours uses, is pinned
// with that which is replaced.
var Packages = []Package{
	{
		Path:   "vendor/golang.org/x/crypto/chacha20",
		Folder: "chacha20",
		Hide:   []string{"chacha_noasm.go"},
		Sums: map[string]string{
			"chacha_generic.go": "34403e82b1387b4402b00ce30c1364508c333f4bdbe671321690c6ebaa8d3180",
			"chacha_noasm.go":   "bbdb67ceb30ef13efc54e17935f47e00744b96754e03364e606d4f1f8f9085c1",
		},
	},
	{
		Path:   "vendor/golang.org/x/crypto/internal/poly1305",
		Folder: "poly1305",
		Hide:   []string{"mac_noasm.go"},
		Sums: map[string]string{
			"mac_noasm.go":   "f5308cd6f14bab1b00963eeae8137d63fc5452db7f7d49276a56f457bfd89d2d",
			"poly1305.go":    "c4b20ab7330e47ee155a775f69ae3b0e432c75d74ad005cf764228a69ddf6da6",
			"sum_generic.go": "b0094a2895d5bda42dcaaf57c0b31fc914c3b6c6aa6237aab0100a6d78346933",
		},
	},
	{
		Path:   "crypto/internal/fips140/sha256",
		Folder: "sha256",
		Hide:   []string{"sha256block_noasm.go"},
		Sums: map[string]string{
			"sha256.go":            "94f8a5508cda46bc036b891d32eae19eb31253946d3442e44d4bb3e0341643b8",
			"sha256block.go":       "eb49287421c308743473db444fff531f65231f1c5d8ecbc48b6b4ca1441975ec",
			"sha256block_noasm.go": "b481697aa528de27d61b405f4cdc5f5ab262c0a64d291a6d8e17ecf2e6f0793d",
		},
	},
}

//go:embed */*_arm.go */*_arm.s */std.go
var files embed.FS

// Files returns what the go command is to see in the package's folder: contents by name.
// The names are none that a file of the standard library has.
func (p *Package) Files() map[string][]byte {
	list, err := files.ReadDir(p.Folder)
	if err != nil {
		panic(err) // it is compiled in
	}
	m := map[string][]byte{}
	for _, f := range list {
		b, err := files.ReadFile(p.Folder + "/" + f.Name())
		if err != nil {
			panic(err)
		}
		// A file for the standard library's package doesn't compile in ours.
		text, found := strings.CutPrefix(string(b), "//go:build ignore\n")
		if found {
			text = "//\n" + text // line numbers stay
		}
		m["ingot_"+f.Name()] = []byte(text)
	}
	return m
}
