package appliance

import (
	"fmt"
	"regexp"
	"strings"
)

// forms says how each type is written.
var forms = map[Type]string{
	Text:      "string",
	Choice:    "string",
	Flag:      "`true` or `false`",
	Count:     "integer",
	Number:    "number",
	Duration:  "string with a number and a unit (`ms`, `s`, `m`, `h`)",
	Texts:     "array of strings",
	Address:   "string with an IPv4 address",
	Addresses: "array of strings with IP addresses",
	Interface: "string with an IPv4 address and the length of its prefix",
	Address6:  "string with an IPv6 address",
	Network6:  "string with an IPv6 address and the length of its prefix",
	Prefixes:  "array of strings with IP addresses, with or without the length of a prefix",
	Hardware:  "string with six bytes in hexadecimal digits",
	Name:      "string with a host name",
	Hosts:     "array of strings with host names or IP addresses",
	Listen:    "string with a port, or with an IP address and a port",
	Remote:    "string with a host name or an IP address, and a port",
	Folder:    "string with a path, relative to the configuration file",
	Pairs:     "table of strings",
	Keys:      "table",
}

// Range says which values there are, of those that the type would have; "" for all.
func (k *Key) Range() string {
	switch k.Type {
	case Choice:
		var all []string
		for _, c := range k.Choices {
			all = append(all, "`\""+c+"\"`")
		}
		return strings.Join(all, ", ")
	case Count:
		return fmt.Sprintf("%d to %d %s", k.Min, k.Max, k.Unit)
	case Number:
		return fmt.Sprintf("above %d, to %d %s", k.Min, k.Max, k.Unit)
	case Duration:
		s := "`\"1ms\"` to `" + text(k.Longest) + "`"
		if k.Off {
			s += ", or `\"off\"` for no limit"
		}
		return s
	case Listen, Remote:
		return "ports 1 to 65535"
	}
	return ""
}

// shared splits the keys of services: those that all kinds have, those that all kinds
// have whose listener speaks TLS, and those of one kind.
func shared(kinds []Kind) (all, secured []Key, own map[string][]Key) {
	have := func(name string, only func(*Kind) bool) bool {
		for i := range kinds {
			if only(&kinds[i]) && find(kinds[i].Keys, name) == nil {
				return false
			}
		}
		return true
	}
	everyKind := func(*Kind) bool { return true }
	withTLS := func(k *Kind) bool { return !k.plain }
	own = map[string][]Key{}
	seen := map[string]bool{}
	for _, kind := range kinds {
		for _, k := range kind.Keys {
			switch {
			case have(k.Name, everyKind):
				if !seen[k.Name] {
					all = append(all, k)
				}
			case !kind.plain && have(k.Name, withTLS):
				if !seen[k.Name] {
					secured = append(secured, k)
				}
			default:
				own[kind.Name] = append(own[kind.Name], k)
				continue
			}
			seen[k.Name] = true
		}
	}
	return all, secured, own
}

// Reference is the reference of all keys, as Markdown: docs/configuration.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Configuration reference

This page is made by ` + "`ingot config reference`" + ` from the table that files are checked with.

A firmware can be configured instead of programmed: by a file in [TOML](https://toml.io),
as a rule called ` + "`ingot.toml`" + `, and a certificate store.

` + "```toml" + `
[network]
host_name = "gateway"

[service.mqtt]
kind = "terminate"
listen = ":8883"
client_auth = "require"
to = "10.0.2.2:1883"
` + "```" + `

` + "`ingot run --config ingot.toml`" + ` builds it and boots it in QEMU, with development certificates
if there are none; ` + "`--hosted`" + ` runs it on this machine instead. ` + "`ingot build --config ingot.toml`" + `
makes an image for ` + "`--board`" + `. ` + "`ingot config check`" + ` says what is wrong with a file, each with its
line and column. ` + "`ingot config eject`" + ` turns a configuration into a program, to go on with.

What is configured is compiled in: the image holds the services that are used, with their
options, and no reader of configuration files.

`)
	for _, t := range Tables() {
		fmt.Fprintf(&b, "## [%s]\n\n%s\n\n", t.Name, t.Doc)
		writeKeys(&b, t.Keys, 0)
	}
	kinds := Kinds()
	all, secured, own := shared(kinds)
	b.WriteString("## [service.NAME]\n\nOne service; NAME is for messages, and each service has its own.\n\n")
	b.WriteString("`kind` is required. It is one of\n\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "* [`\"%s\"`](#kind--%[1]s)\n", k.Name)
	}
	b.WriteString("\n### Keys of all kinds\n\n")
	writeKeys(&b, all, 0)
	b.WriteString("### Keys of the kinds that take TLS connections\n\n")
	var plain []string
	for _, k := range kinds {
		if k.plain {
			plain = append(plain, "`"+k.Name+"`")
		}
	}
	if len(plain) > 0 {
		fmt.Fprintf(&b, "These are all but %s.\n\n", strings.Join(plain, ", "))
	}
	writeKeys(&b, secured, 0)
	for _, k := range kinds {
		fmt.Fprintf(&b, "### kind = \"%s\"\n\n%s\n\n", k.Name, k.Doc)
		if len(own[k.Name]) > 0 {
			writeKeys(&b, own[k.Name], 0)
		}
	}
	b.WriteString(`## When it runs

Boot parameters go before what is compiled in, so that one image serves in many places.
These are the settings, and the keys that they go before:

| setting | key |
|---|---|
`)
	for _, t := range Tables() {
		for _, k := range t.Keys {
			if strings.HasPrefix(k.field, "INGOT_") {
				fmt.Fprintf(&b, "| `%s` | `%s.%s` |\n", k.field, t.Name, k.Name)
			}
		}
	}
	b.WriteString(`
Lists are separated by commas, and INGOT_IPV6 is on or off. For each setting this order
holds: the boot parameters; what is compiled in; what DHCP and routers say. An INGOT_ADDR
in the boot parameters also goes before a compiled-in gateway, and ` + "`INGOT_ADDR=dhcp`" + ` takes a
fixed address back; so do INGOT_ADDR6 and ` + "`INGOT_ADDR6=auto`" + `. INGOT_LOG_LEVEL is for images whose
configuration has a ` + "`[log]`" + `. ` + "`ingot run --env INGOT_ADDR=dhcp`" + ` gives such parameters in QEMU.
`)
	return b.String()
}

// isValue tells a default that could be written from one in words.
var isValue = regexp.MustCompile(`^("[^"]*"|[0-9]+|true|false)$`)

func writeKeys(b *strings.Builder, keys []Key, depth int) {
	indent := strings.Repeat("  ", depth)
	for _, k := range keys {
		fmt.Fprintf(b, "%s* **`%s`** — %s\n", indent, k.Name, k.Doc)
		fmt.Fprintf(b, "%s  Type: %s", indent, forms[k.Type])
		if r := k.Range(); r != "" {
			fmt.Fprintf(b, "; %s", r)
		}
		b.WriteString(".")
		switch {
		case k.Required:
			b.WriteString(" Required.")
		case isValue.MatchString(k.Default):
			fmt.Fprintf(b, " Default: `%s`.", k.Default)
		default:
			fmt.Fprintf(b, " Default: %s.", k.Default)
		}
		fmt.Fprintf(b, "\n%s  Example: `%s = %s`\n", indent, k.Name, k.Example)
		writeKeys(b, k.Keys, depth+1)
	}
	if depth == 0 {
		b.WriteString("\n")
	}
}

// Schema is the same as data.
type Schema struct {
	Tables []TableInfo `json:"tables"`
	Kinds  []TableInfo `json:"kinds"` // of services
}

// TableInfo describes the keys that stand together.
type TableInfo struct {
	Name string    `json:"name"`
	Doc  string    `json:"doc"`
	Keys []KeyInfo `json:"keys"`
}

// KeyInfo describes a key.
type KeyInfo struct {
	Name     string    `json:"name"`
	Type     Type      `json:"type"`
	Doc      string    `json:"doc"`
	Range    string    `json:"range,omitempty"`
	Unit     string    `json:"unit,omitempty"`
	Default  string    `json:"default,omitempty"`
	Example  string    `json:"example"`
	Required bool      `json:"required,omitempty"`
	Choices  []string  `json:"choices,omitempty"`
	Keys     []KeyInfo `json:"keys,omitempty"`
}

// DescribeSchema returns what a configuration may say.
func DescribeSchema() Schema {
	var s Schema
	for _, t := range Tables() {
		s.Tables = append(s.Tables, TableInfo{t.Name, t.Doc, describe(t.Keys)})
	}
	for _, k := range Kinds() {
		s.Kinds = append(s.Kinds, TableInfo{k.Name, k.Doc, describe(k.Keys)})
	}
	return s
}

func describe(keys []Key) (list []KeyInfo) {
	for _, k := range keys {
		list = append(list, KeyInfo{k.Name, k.Type, k.Doc, k.Range(), k.Unit, k.Default, k.Example, k.Required, k.Choices, describe(k.Keys)})
	}
	return list
}
