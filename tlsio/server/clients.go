package server

import (
	"net/netip"
	"strings"
)

// clientList is AllowedClients or BlockedClients, ready to be asked.
type clientList []clientPattern

// clientPattern matches by prefix, or by text if it has a wildcard.
type clientPattern struct {
	prefix netip.Prefix
	text   []string // the parts between the wildcards; nil if prefix decides
}

const clientFix = "use IP addresses, prefixes (10.0.0.0/8) or wildcards (192.168.1.*); names would need reverse DNS, whose answers the peer can choose"

func parseClients(errs *optionErrors, option string, entries []string) clientList {
	var list clientList
	for _, entry := range entries {
		p, ok := parseClient(strings.TrimSpace(entry))
		if !ok {
			errs.add(option, entry, clientFix)
			continue
		}
		list = append(list, p)
	}
	return list
}

func parseClient(s string) (p clientPattern, ok bool) {
	if strings.Contains(s, "*") {
		s = strings.ToLower(s)
		if strings.Trim(s, "0123456789abcdef.:*") != "" || !strings.ContainsAny(s, ".:") && strings.Trim(s, "*") != "" {
			return p, false
		}
		return clientPattern{text: strings.Split(s, "*")}, true
	}
	if prefix, err := netip.ParsePrefix(s); err == nil {
		return clientPattern{prefix: prefix.Masked()}, true
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return p, false
	}
	addr = addr.Unmap()
	return clientPattern{prefix: netip.PrefixFrom(addr, addr.BitLen())}, true
}

// matches reports whether a pattern covers addr. IPv4 addresses are IPv4 in
// whatever form they come; zones don't count.
func (l clientList) matches(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	var text string
	for _, p := range l {
		if p.text == nil {
			if p.prefix.Contains(addr) {
				return true
			}
			continue
		}
		if text == "" {
			text = addr.String()
		}
		if matchParts(text, p.text) {
			return true
		}
	}
	return false
}

// matchParts reports whether s is the parts with anything between them. The leftmost
// place that a part fits is as good as any.
func matchParts(s string, parts []string) bool {
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(s, first) || !strings.HasSuffix(s[len(first):], last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
