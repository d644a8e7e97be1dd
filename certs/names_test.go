package certs

import (
	"slices"
	"strings"
	"testing"
)

func TestNormalizeName(t *testing.T) {
	for in, want := range map[string]string{
		"": "", ".": "", "a": "a", "A.": "a", "aB.Cd": "ab.cd", "a..": "a.",
		"ÄB.test": "Äb.test", // only ASCII letters have a case in DNS
	} {
		if got := normalizeName(in); got != want {
			t.Errorf("normalizeName(%q) = %q, want %q", in, got, want)
		}
	}
}

// A handshake asks once per connection; names are nearly always lower case.
func TestNormalizeNameDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { normalizeName("a.ingot.test.") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBadName(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	for name, want := range map[string]string{
		"a": "", "a.b": "", "*.a.b": "", "_sip.a_b.c": "", "xn--bcher-kva.test": "", "1.a": "", label63 + ".a": "",
		"": "empty", "*.": "empty", "*": "wildcard", "*a.b": "wildcard", "a.*.b": "wildcard", "*.*.a": "wildcard",
		"a.": "without a dot", "a..b": "empty label", ".a": "empty label",
		"-a.b": "hyphen", "a-.b": "hyphen", label63 + "a.b": "63", strings.Repeat("a.", 127) + "a": "253",
		"a b": "character", "a/b": "character", "bücher.test": "xn--", "10.0.0.1": "iPAddress", "fe80::1": "iPAddress",
	} {
		if got := badName(name); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("badName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNaturalLess(t *testing.T) {
	sorted := []string{
		"", "chain", "chain-1.der", "chain-2.der", "chain-10.der", "chain.der", "chain0.der", "chain01.der", "chain1.der",
		"chain1a.der", "chain2.der", "chain9.der", "chain10.der", "chain18446744073709551616.der", "chain18446744073709551617.der", "chainA.der",
	}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, want := naturalLess(a, b), i < j; got != want {
				t.Errorf("naturalLess(%q, %q) = %v", a, b, got)
			}
		}
	}
}

// FuzzNaturalLess checks that it is a strict total order.
func FuzzNaturalLess(f *testing.F) {
	f.Add("chain1", "chain01", "chain10")
	f.Add("a1b2", "a1b10", "a01b2")
	f.Add("", "0", "00")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if naturalLess(a, a) {
			t.Errorf("%q < itself", a)
		}
		if a != b && naturalLess(a, b) == naturalLess(b, a) {
			t.Errorf("%q and %q are not ordered", a, b)
		}
		list := []string{a, b, c}
		for _, x := range list {
			for _, y := range list {
				for _, z := range list {
					if naturalLess(x, y) && naturalLess(y, z) && !naturalLess(x, z) {
						t.Errorf("%q < %q < %q, but not %q < %q", x, y, z, x, z)
					}
				}
			}
		}
	})
}

func FuzzSequenceLength(f *testing.F) {
	for _, data := range []string{"", "0", "0\x00", "0\x80", "0\x81\x80", "0\x82\x01\x00", "0\x84\xff\xff\xff\xff", "0\x85\x00\x00\x00\x00\x01"} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		total, why := sequenceLength(data)
		if (why == "") != (total >= 2) {
			t.Errorf("sequenceLength = %d, %q", total, why)
		}
		if why != "" {
			return
		}
		// The header must be the one that DER prescribes for this length.
		for header := 2; header <= 6; header++ {
			if n := total - header; n >= 0 && slices.Equal(data[:min(header, len(data))], derHeader(n)) {
				return
			}
		}
		t.Errorf("%x announces %d bytes", data[:min(6, len(data))], total)
	})
}

// derHeader is the straightforward encoding of a SEQUENCE's tag and length.
func derHeader(n int) []byte {
	if n < 128 {
		return []byte{0x30, byte(n)}
	}
	var length []byte
	for ; n > 0; n >>= 8 {
		length = append([]byte{byte(n)}, length...)
	}
	return append([]byte{0x30, 0x80 | byte(len(length))}, length...)
}
