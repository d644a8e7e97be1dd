package appliance

import (
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ingot.dev/firmware/endpoint"
)

// An inaptitude is why a value is not what its key wants. Where it is one element of an array,
// that is where the problem is.
type inaptitude struct {
	at        position
	what, fix string
}

// decode returns the value of a key, in the type that options have for it: string,
// bool, int, float64, time.Duration, []string, netip.Addr, []netip.Addr,
// []netip.Prefix, map[string]string or *folder.
func (k *Key) decode(n *node, dir string) (value any, bad []inaptitude) {
	refuse := func(at *node, what, fix string) {
		bad = append(bad, inaptitude{at.at, what, fix})
	}
	wrongShape := func(at *node, want string) {
		refuse(at, fmt.Sprintf("%s is %s", k.Name, at.shape), "write "+want+", such as "+k.Example)
	}
	// one reads a string.
	one := func(at *node, want string, read func(s string) (any, string)) any {
		if at.shape != isString {
			wrongShape(at, want)
			return nil
		}
		v, fix := read(at.text)
		if fix != "" {
			text := strconv.Quote(at.text)
			if k.Secret {
				text = "the value"
			}
			refuse(at, fmt.Sprintf("%s: %s is not %s", k.Name, text, want), fix)
			return nil
		}
		return v
	}
	// each reads the elements of an array of strings.
	each := func(want, element string, read func(s string) (any, string)) (list []any) {
		if n.shape != isArray {
			wrongShape(n, want)
			return nil
		}
		for _, item := range n.items {
			v := one(item, element, read)
			if v == nil {
				continue
			}
			same := func(other any) bool { return other == v }
			if j := slices.IndexFunc(list, same); j >= 0 {
				refuse(item, fmt.Sprintf("%s has %v twice", k.Name, v), "leave one out")
			}
			list = append(list, v)
		}
		return list
	}
	such := "write one such as " + k.Example
	switch k.Type {
	case Text:
		return one(n, "a name", func(s string) (any, string) {
			if strings.TrimSpace(s) == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return nil, "write a name, or leave the key out"
			}
			return s, ""
		}), bad
	case Choice:
		return one(n, "one that there is", func(s string) (any, string) {
			if !slices.Contains(k.Choices, s) {
				return nil, "use " + quoted(k.Choices)
			}
			if k.value != nil {
				return k.value(s), ""
			}
			return s, ""
		}), bad
	case Flag:
		if n.shape != isBool {
			wrongShape(n, "true or false, without quotes")
			return nil, bad
		}
		return n.text == "true", nil
	case Count:
		if n.shape != isInteger {
			wrongShape(n, "a whole number, without quotes")
			return nil, bad
		}
		v, err := strconv.ParseInt(n.text, 0, 64)
		if err != nil || v < int64(k.Min) || v > int64(k.Max) {
			refuse(n, k.Name+" is "+n.text, k.between())
			return nil, bad
		}
		return int(v), nil
	case Number:
		if n.shape != isInteger && n.shape != isFloat {
			wrongShape(n, "a number, without quotes")
			return nil, bad
		}
		v, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
		if err != nil || math.IsNaN(v) || v <= float64(k.Min) || v > float64(k.Max) {
			refuse(n, k.Name+" is "+n.text, k.between())
			return nil, bad
		}
		return v, nil
	case Duration:
		return one(n, "a duration", func(s string) (any, string) {
			if k.Off && s == "off" {
				return endpoint.Off, ""
			}
			d, err := time.ParseDuration(s)
			if err != nil || d < time.Millisecond || d > k.Longest {
				return nil, k.between()
			}
			return d, ""
		}), bad
	case Texts:
		list := each("an array of strings", "a name", func(s string) (any, string) {
			if s == "" || len(s) > 255 {
				return nil, "write 1 to 255 bytes"
			}
			return s, ""
		})
		return array[string](list), bad
	case Address:
		return one(n, "an IPv4 address", func(s string) (any, string) {
			a, err := netip.ParseAddr(s)
			if err != nil || !a.Is4() || !isHost(a) {
				return nil, such
			}
			return a, ""
		}), bad
	case Addresses:
		list := each("an array of strings", "the IP address of a host", func(s string) (any, string) {
			a, err := netip.ParseAddr(s)
			if err != nil || !isHost(a) {
				return nil, "write one such as 192.168.1.1 or 2001:db8::1"
			}
			return a, ""
		})
		return array[netip.Addr](list), bad
	case Interface:
		return one(n, `an IPv4 address with a prefix length, and not "dhcp"`, func(s string) (any, string) {
			if s == "dhcp" {
				return netip.Prefix{}, ""
			}
			p, err := netip.ParsePrefix(s)
			if err != nil || !p.Addr().Is4() || !isHost(p.Addr()) || p.Bits() < 1 || p.Addr().IsLoopback() {
				return nil, such
			}
			if p.Bits() < 31 && (p.Addr() == p.Masked().Addr() || p.Addr() == last(p)) {
				return nil, "this is the address of the network or of everybody in it; " + such
			}
			return p, ""
		}), bad
	case Address6:
		return one(n, "an IPv6 address", func(s string) (any, string) {
			a, err := netip.ParseAddr(s)
			if err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" || !isHost(a) {
				return nil, such
			}
			return a, ""
		}), bad
	case Network6:
		return one(n, "the global IPv6 address of a host with a prefix length", func(s string) (any, string) {
			p, err := netip.ParsePrefix(s)
			if err != nil || !p.Addr().Is6() || p.Addr().Is4In6() || !p.Addr().IsGlobalUnicast() || p.Bits() < 1 {
				return nil, such
			}
			return p, ""
		}), bad
	case Prefixes:
		list := each("an array of strings", "an IP address with a prefix length", func(s string) (any, string) {
			p, err := netip.ParsePrefix(s)
			if a, notAddr := netip.ParseAddr(s); notAddr == nil && a.Zone() == "" {
				p, err = netip.PrefixFrom(a, a.BitLen()), nil
			}
			if err != nil {
				return nil, "write one such as 10.0.0.0/8, 192.168.1.7 or 2001:db8::/32"
			}
			return p, ""
		})
		return array[netip.Prefix](list), bad
	case Hardware:
		return one(n, "the address of an Ethernet port", func(s string) (any, string) {
			a, err := net.ParseMAC(s)
			if err != nil || len(a) != 6 || a[0]&1 != 0 {
				return nil, "write six bytes, of which the first is even, such as " + k.Example
			}
			return s, ""
		}), bad
	case Name:
		return one(n, "a host name", func(s string) (any, string) {
			if !isHostName(s) {
				return nil, "write letters, digits and hyphens between dots, such as " + k.Example
			}
			return s, ""
		}), bad
	case Hosts:
		list := each("an array of strings", "a host", func(s string) (any, string) {
			if a, err := netip.ParseAddr(s); (err != nil || !isHost(a)) && !isHostName(s) {
				return nil, "write a name or an IP address"
			}
			return s, ""
		})
		return array[string](list), bad
	case Listen, Remote:
		return one(n, "an address with a port", func(s string) (any, string) {
			host, port, err := net.SplitHostPort(s)
			number, portErr := strconv.ParseUint(port, 10, 16)
			addr, addrErr := netip.ParseAddr(host)
			switch {
			case err != nil:
				return nil, such
			case portErr != nil || number == 0:
				return nil, "its port is a number from 1 to 65535, such as in " + k.Example
			case k.Type == Listen && host != "" && (addrErr != nil || addr.IsMulticast()):
				return nil, `it listens at an IP address of its own, or at all of them if there is none, as in ":` + port + `"`
			case k.Type == Remote && addrErr != nil && !isHostName(host), k.Type == Remote && addrErr == nil && !isHost(addr):
				return nil, "its host is a name or an IP address, such as in " + k.Example
			}
			return s, ""
		}), bad
	case Folder:
		return one(n, "a folder", func(s string) (any, string) {
			name := filepath.FromSlash(s)
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			if info, err := os.Stat(name); k.Required && (err != nil || !info.IsDir()) {
				return nil, "name one that is there, relative to the configuration file"
			}
			return &folder{FS: os.DirFS(name), dir: name}, ""
		}), bad
	case Pairs:
		if n.shape != isTable {
			wrongShape(n, "a table of strings")
			return nil, bad
		}
		pairs := map[string]string{}
		for _, e := range n.keys {
			if e.value.shape != isString {
				refuse(e.value, fmt.Sprintf("%s.%s is %s", k.Name, e.name, e.value.shape), "write a string")
				continue
			}
			pairs[e.name] = e.value.text
		}
		return pairs, bad
	}
	panic("appliance: key " + k.Name + " has the type " + string(k.Type))
}

// folder is one that goes into the image.
type folder struct {
	fs.FS
	dir string
}

func array[T any](list []any) []T {
	if list == nil {
		return nil
	}
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = v.(T)
	}
	return out
}

// between says which values a number or a duration may have.
func (k *Key) between() string {
	switch k.Type {
	case Number:
		return fmt.Sprintf("use a number above %d and up to %d, in %s", k.Min, k.Max, k.Unit)
	case Count:
		return fmt.Sprintf("use a number from %d to %d, in %s", k.Min, k.Max, k.Unit)
	}
	s := fmt.Sprintf(`use a number with a unit, such as "500ms", "30s", "5m" or "1h30m", from "1ms" to %s`, text(k.Longest))
	if k.Off {
		s += `, or "off"`
	}
	return s
}

func quoted(list []string) string {
	var q []string
	for _, s := range list {
		q = append(q, strconv.Quote(s))
	}
	if len(q) < 2 {
		return strings.Join(q, "")
	}
	return strings.Join(q[:len(q)-1], ", ") + " or " + q[len(q)-1]
}

func isHost(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// last is the address that means everybody in an IPv4 network.
func last(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(a)
}

// isHostName follows RFC 1123 §2.1.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	// What looks like an IPv4 address with a mistake in it isn't a name.
	parts := strings.Split(s, ".")
	_, err := strconv.Atoi(parts[len(parts)-1])
	return err != nil
}
