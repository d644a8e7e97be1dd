package certificate

import (
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
)

// attributeNames are the fields of a name. The short ones are those of the
// reference's table (CN, O, OU, L, S, C, E) and of the API that it describes; what
// is not here is written as "OID.1.2.3".
var attributeNames = map[string]string{
	"2.5.4.3":                    "CN",
	"2.5.4.4":                    "SN",
	"2.5.4.5":                    "SERIALNUMBER",
	"2.5.4.6":                    "C",
	"2.5.4.7":                    "L",
	"2.5.4.8":                    "S",
	"2.5.4.9":                    "STREET",
	"2.5.4.10":                   "O",
	"2.5.4.11":                   "OU",
	"2.5.4.12":                   "T",
	"2.5.4.17":                   "PostalCode",
	"2.5.4.42":                   "G",
	"2.5.4.43":                   "I",
	"0.9.2342.19200300.100.1.25": "DC",
	"0.9.2342.19200300.100.1.1":  "UID",
	"1.2.840.113549.1.9.1":       "E",
}

// otherSpellings are what people write for the above, in upper case.
var otherSpellings = map[string]string{
	"ST":           "S",
	"EMAILADDRESS": "E",
	"EMAIL":        "E",
	"GN":           "G",
	"TITLE":        "T",
}

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type rdnSET []attribute // encoding/asn1 takes the SET from the type's name

// formatName writes a distinguished name as "CN=www.example.com, OU=test, C=US":
// the most specific field first, which is the reverse of the order in the
// certificate (RFC 4514 section 2.1), and quotes around what needs them.
func formatName(raw []byte) string {
	var rdns []rdnSET
	if rest, err := asn1.Unmarshal(raw, &rdns); err != nil || len(rest) > 0 {
		return ""
	}
	var fields []string
	for _, rdn := range slices.Backward(rdns) {
		var parts []string
		for _, a := range rdn {
			oid := a.Type.String()
			name, ok := attributeNames[oid]
			if !ok {
				name = "OID." + oid
			}
			parts = append(parts, name+"="+quoteValue(attributeValue(a.Value)))
		}
		fields = append(fields, strings.Join(parts, " + "))
	}
	return strings.Join(fields, ", ")
}

// attributeValue returns a string as it is. Other types, and strings with control
// characters, which would garble logs, become the "#" form of RFC 4514 section 2.4.
func attributeValue(v asn1.RawValue) string {
	var s any
	if _, err := asn1.Unmarshal(v.FullBytes, &s); err == nil {
		if s, ok := s.(string); ok && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return s
		}
	}
	return "#" + hex.EncodeToString(v.FullBytes)
}

func quoteValue(s string) string {
	if s != "" && strings.TrimSpace(s) == s && !strings.ContainsAny(s, `,+="<>;`) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// parseName splits a name in the form that formatName writes into sorted
// "NAME=value" fields, so that two names can be compared whatever the order of
// their fields. ok is false if s is no such name.
func parseName(s string) (fields []string, ok bool) {
	for s != "" {
		name, rest, found := strings.Cut(s, "=")
		name = strings.ToUpper(strings.TrimSpace(name))
		if !found || name == "" || strings.ContainsAny(name, `,+"`) {
			return nil, false
		}
		if n, ok := otherSpellings[name]; ok {
			name = n
		}
		rest = strings.TrimLeft(rest, " ")
		var value strings.Builder
		if strings.HasPrefix(rest, `"`) {
			rest = rest[1:]
			for {
				i := strings.IndexByte(rest, '"')
				if i < 0 {
					return nil, false
				}
				value.WriteString(rest[:i])
				rest = rest[i+1:]
				if !strings.HasPrefix(rest, `"`) {
					break
				}
				value.WriteByte('"')
				rest = rest[1:]
			}
			rest = strings.TrimLeft(rest, " ")
			if rest != "" && rest[0] != ',' && rest[0] != '+' {
				return nil, false
			}
		} else {
			i := strings.IndexAny(rest, ",+")
			if i < 0 {
				i = len(rest)
			}
			value.WriteString(strings.TrimRight(rest[:i], " "))
			rest = rest[i:]
		}
		fields = append(fields, name+"="+value.String())
		if rest == "" {
			break
		}
		s = rest[1:]
		if strings.TrimSpace(s) == "" {
			return nil, false
		}
	}
	slices.Sort(fields)
	return fields, len(fields) > 0
}

// sameName compares two names field by field, in any order, without case.
func sameName(a, b string) bool {
	x, ok1 := parseName(a)
	y, ok2 := parseName(b)
	return ok1 && ok2 && slices.EqualFunc(x, y, strings.EqualFold)
}
