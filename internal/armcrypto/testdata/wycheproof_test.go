package PACKAGE

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"
)

//go:embed ingot_wycheproof.json
var wycheproof []byte

// octets are written in hex.
type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

// A wycheproofCase has the fields of those files that tests here read.
type wycheproofCase struct {
	ID      int    `json:"tcId"`
	Comment string `json:"comment"`
	Result  string `json:"result"` // valid, invalid or acceptable
	Key     octets `json:"key"`
	IV      octets `json:"iv"`
	AAD     octets `json:"aad"`
	Msg     octets `json:"msg"`
	CT      octets `json:"ct"`
	Tag     octets `json:"tag"`
	IKM     octets `json:"ikm"`
	Salt    octets `json:"salt"`
	Info    octets `json:"info"`
	Size    int    `json:"size"`
	OKM     octets `json:"okm"`
	Public  octets `json:"public"`
	Private octets `json:"private"`
	Shared  octets `json:"shared"`
	Sig     octets `json:"sig"`

	PublicKey octets `json:"-"` // its group's
}

// eachWycheproof calls f for every case, with the size of tags in bits where the file has one.
// f reports whether the case was right; for "acceptable" ones either will do.
func eachWycheproof(t *testing.T, f func(c *wycheproofCase, tagSize int) bool) {
	var file struct {
		NumberOfTests int
		TestGroups    []struct {
			TagSize   int
			PublicKey struct {
				Uncompressed, PK octets // a point's encoding, or one of Ed25519
			}
			Tests []wycheproofCase
		}
	}
	if err := json.Unmarshal(wycheproof, &file); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range file.TestGroups {
		for i := range g.Tests {
			n++
			c := &g.Tests[i]
			c.PublicKey = append(g.PublicKey.Uncompressed, g.PublicKey.PK...)
			if good := f(c, g.TagSize); good != (c.Result == "valid") && c.Result != "acceptable" {
				t.Errorf("case %d (%s) is %s: %v", c.ID, c.Comment, c.Result, good)
			}
		}
	}
	if n == 0 || n != file.NumberOfTests {
		t.Errorf("%d cases, want %d", n, file.NumberOfTests)
	}
	fmt.Printf("%s: %d cases\n", t.Name(), n)
}
