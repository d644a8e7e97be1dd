package armcrypto

import (
	"embed"
	"errors"
	"fmt"
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
	// Edits are made to those of its files that call the portable code.
	Edits []Edit
	// Rewrite makes other text of those of its files that are too long for edits. It keeps
	// the number of lines, too.
	Rewrite map[string]func(text string) (string, error)
	// Folder is the one with our files here; empty if there are none.
	Folder string
	// Users are packages that have to be fitted to this one. If the files of one aren't
	// as they should be, neither it nor this one is changed.
	Users []Package
	// Release is the only Go release for which a user is changed; empty: all.
	Release string
}

// An Edit replaces Old by New in a file, which has it once. Neither adds lines, so that
// those in tracebacks stay true.
type Edit struct{ File, Old, New string }

// Parts are the package and its users, as far as they are changed for a Go release.
func (p *Package) Parts(release string) []*Package {
	list := []*Package{p}
	for i := range p.Users {
		if u := &p.Users[i]; u.Release == "" || u.Release == release {
			list = append(list, u)
		}
	}
	return list
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
	{
		Path:   "crypto/internal/fips140/sha512",
		Folder: "sha512",
		Hide:   []string{"sha512block_noasm.go"},
		Sums: map[string]string{
			"sha512.go":            "2d5b0c8c656c71c5a9eff37daf1919141e7742f519c7ad135336ee8805f76cdc",
			"sha512block.go":       "4c5febb80a02435b3b9baa16b6009dbb7ed4dbc6027455bbe7eb609109803ffb",
			"sha512block_noasm.go": "868546eb72313abd97c42d04409e991966abc0f1de6b9812c24f75e0f1453a83",
		},
	},
	{
		Path:   "crypto/internal/fips140/nistec/fiat",
		Folder: "fiat",
		Hide:   []string{"p256_fiat64.go"},
		Sums: map[string]string{
			"p256.go":        "b5e874ddd907466916c93ed1bca988d7264ee2cadcc4892bcf72c8d3ea50fa68",
			"p256_fiat64.go": "f01a239cc66c1c6b8dd98e66bfa69b4e72f899431fdb63393e84e003705923ac",
			"p256_invert.go": "2677f82201b5789d9257a9cc5b5ddd6036858245574d9ee220bdd1715d2e67bc",
		},
		Users: []Package{
			{
				Path:    "crypto/internal/fips140/nistec",
				Release: "go1.26.8",
				Folder:  "nistec",
				Hide:    []string{"p256_ordinv_noasm.go"},
				Edits:   nistecEdits,
				Rewrite: nistecRewrite,
				Sums: map[string]string{
					"p256_table.go":        p256Table,
					"p256.go":              "aefa1a76543721e8e4d0b38cb07dfc71bfda7b005500864c7a69457fe216d660",
					"p256_ordinv_noasm.go": "be71dad977c50335c9239a3d373506841b58a0ffa63f99c9d86931fb4ff25e7c",
				},
			},
			{
				Path:    "crypto/internal/fips140/nistec",
				Release: "go1.27.4",
				Folder:  "nistec",
				Hide:    []string{"p256_ordinv.go"},
				Edits:   nistecEdits,
				Rewrite: nistecRewrite,
				Sums: map[string]string{
					"p256_table.go":  p256Table,
					"p256.go":        "23b19e4f18756f1021c96b91db087d282e4c987040b1539370dfb755a1f6fb70",
					"p256_ordinv.go": "175611bd57870e7aa046836a21c223696c3f14f3ceefc3ec1b5db04604b5e5d6",
				},
			},
			{
				// Since 1.27 it has inverses of P-256 on 64-bit processors only.
				Path:    "crypto/internal/fips140/ecdsa",
				Release: "go1.27.4",
				Edits: []Edit{
					{"ecdsa.go", "bits.UintSize == 64 {", "bits.UintSize == 32 {"},
					{"ecdsa.go", "len(kb) == 4 {", "len(kb) == 8 {"},
					{
						"ecdsa.go",
						"k64 := [4]uint64{uint64(kb[0]), uint64(kb[1]), uint64(kb[2]), uint64(kb[3])}",
						"var k64 [4]uint64; for i, w := range kb { k64[i/2] |= uint64(w) << (i % 2 * 32) }",
					},
					{
						"ecdsa.go",
						"kInv.SetBits([]uint{uint(k64[0]), uint(k64[1]), uint(k64[2]), uint(k64[3])})",
						"for i := range kb { kb[i] = uint(uint32(k64[i/2] >> (i % 2 * 32))) }; kInv.SetBits(kb)",
					},
				},
				Sums: map[string]string{
					"ecdsa.go": "d1a99cea5f38d2ec0f9c80a218862f0d075533c9be97b64606f692ea013a33f9",
				},
			},
		},
	},
	{
		Path:   "crypto/internal/fips140/edwards25519/field",
		Folder: "field",
		Users: []Package{
			{
				Path: "crypto/ecdh",
				Edits: []Edit{{
					"x25519.go",
					"func x25519ScalarMult(dst, scalar, point []byte) {",
					"func x25519ScalarMult(dst, scalar, point []byte) { field.X25519((*[32]byte)(dst), (*[32]byte)(scalar), (*[32]byte)(point)) }; func x25519Portable(dst, scalar, point []byte) {",
				}},
				Sums: map[string]string{
					"x25519.go": "6dff1337f8540910d0bed609b7acf338e365c26be56df9d6cd60fd6b49afa41e",
				},
			},
		},
	},
}

// nistecEdits make room for what std.go has there, and for the table that is smaller.
var nistecEdits = []Edit{
	{"p256.go", "func (table *p256Table) Select(", "func (table *p256Table) selectPortable("},
	{"p256.go", "func (table *p256AffineTable) Select(", "func (table *p256AffineTable) selectPortable("},
	{"p256.go", "func (p *P256Point) ScalarBaseMult(", "func (p *P256Point) _("},
	{"p256.go", "var p256GeneratorTables *[43]p256AffineTable", "var p256GeneratorTables *[15]p256AffineTable"},
	{"p256.go", "p256GeneratorTables = (*[43]p256AffineTable)(", "p256GeneratorTables = (*[15]p256AffineTable)("},
}

const p256Table = "ba494ee6fc933a189b5dad8cff8d86b8b19786cfdb27929453a4c851cfdc802b"

var nistecRewrite = map[string]func(string) (string, error){"p256_table.go": everyThird}

// everyThird has the generator's multiples for every third window of a scalar only: 57 KB
// less in an image, and 9 % more instructions for a signature. nistec/std_base.go says how.
func everyThird(text string) (string, error) {
	const table, count = 32 * 64, 43 // bytes; 32 points each
	start, end := strings.LastIndexByte(text, '{')+1, strings.LastIndexByte(text, '}')
	if start == 0 || end < start {
		return "", errors.New("no list of bytes")
	}
	all := strings.Split(text[start:end], ", ")
	if len(all) != count*table {
		return "", fmt.Errorf("%d bytes, %d expected", len(all), count*table)
	}
	var kept []string
	for i := 0; i < count; i += 3 {
		kept = append(kept, all[i*table:(i+1)*table]...)
	}
	return text[:start] + strings.Join(kept, ", ") + text[end:], nil
}

//go:embed */*_arm.go */*_arm.s */std*.go
var files embed.FS

// Files returns what the go command is to see in the package's folder: contents by name.
// The names are none that a file of the standard library has.
func (p *Package) Files() map[string][]byte {
	if p.Folder == "" {
		return nil
	}
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
		} else {
			text = strings.Replace(text, "//go:build ignore && ", "//go:build ", 1)
		}
		m["ingot_"+f.Name()] = []byte(text)
	}
	return m
}
