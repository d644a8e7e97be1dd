package firmware

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// settings are what the environment says of the network.
type settings struct {
	address  netip.Prefix
	gateway  netip.Addr
	address6 netip.Prefix
	gateway6 netip.Addr
	dns      []netip.Addr
	ntp      []string
	hostname string
	noIPv6   bool
	mac      net.HardwareAddr
}

// Defaults returns a Config.Getenv for settings that are compiled in: what the
// environment says goes before them. An INGOT_ADDR from there also goes before a
// compiled-in INGOT_GATEWAY, which is another network's; "dhcp" takes back both. So do
// an INGOT_ADDR6, and "auto".
func Defaults(settings map[string]string) func(name string) string {
	return func(name string) string {
		v := os.Getenv(name)
		if v != "" || name == "INGOT_GATEWAY" && os.Getenv("INGOT_ADDR") != "" || name == "INGOT_GATEWAY6" && os.Getenv("INGOT_ADDR6") != "" {
			return v
		}
		return settings[name]
	}
}

// A SettingError says which environment variable can't be used.
type SettingError struct {
	Name, Value string
	Err         error
	Fix         string
}

func (e *SettingError) Error() string {
	return fmt.Sprintf("%s=%q: %v; %s", e.Name, e.Value, e.Err, e.Fix)
}

func (e *SettingError) Unwrap() error { return e.Err }

var errNotIPv4 = errors.New("not an IPv4 address")

func readSettings(getenv func(string) string) (s settings, err error) {
	parse := func(name, fix string, f func(value string) error) {
		value := getenv(name)
		if value == "" || err != nil {
			return
		}
		if e := f(value); e != nil {
			err = &SettingError{name, value, e, fix}
		}
	}
	parse("INGOT_ADDR", "give an IPv4 address and prefix length, such as 10.0.2.15/24", func(v string) (e error) {
		if v == "dhcp" {
			return nil
		}
		s.address, e = netip.ParsePrefix(v)
		if e == nil && !s.address.Addr().Is4() {
			e = errNotIPv4
		}
		return e
	})
	parse("INGOT_GATEWAY", "give an IPv4 address", func(v string) (e error) {
		s.gateway, e = netip.ParseAddr(v)
		if e == nil && !s.gateway.Is4() {
			e = errNotIPv4
		}
		return e
	})
	parse("INGOT_ADDR6", "give an IPv6 address and prefix length, such as 2001:db8::15/64", func(v string) (e error) {
		if v != "auto" {
			s.address6, e = netip.ParsePrefix(v)
		}
		return e
	})
	parse("INGOT_GATEWAY6", "give an IPv6 address", func(v string) (e error) {
		s.gateway6, e = netip.ParseAddr(v)
		return e
	})
	parse("INGOT_DNS", "give IP addresses, separated by commas", func(v string) error {
		for _, a := range list(v) {
			addr, e := netip.ParseAddr(a)
			if e != nil {
				return e
			}
			s.dns = append(s.dns, addr)
		}
		return nil
	})
	parse("INGOT_MAC", "give six bytes, such as 02:00:00:12:34:56", func(v string) (e error) {
		s.mac, e = net.ParseMAC(v)
		if e == nil && (len(s.mac) != 6 || s.mac[0]&1 != 0) {
			e = errors.New("not the address of one Ethernet port")
		}
		return e
	})
	parse("INGOT_IPV6", "give on or off", func(v string) error {
		s.noIPv6 = v == "off"
		if v != "on" && v != "off" {
			return errors.New("neither on nor off")
		}
		return nil
	})
	s.ntp = list(getenv("INGOT_NTP"))
	s.hostname = getenv("INGOT_HOSTNAME")
	return s, err
}

// list splits at commas and drops what is empty.
func list(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
}
