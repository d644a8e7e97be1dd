package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A setting is one of the reference's configuration settings.
type setting struct {
	name string
	get  func(c *Config) string
	// set changes c and returns "", or returns what would be accepted.
	set func(c *Config, value string) (fix string)
}

// settings are all of them that a server as a whole has, but for those of TLS.
var settings = slices.Concat([]setting{
	{"AllowedClients",
		func(c *Config) string { return listOr(c.AllowedClients, "*") },
		func(c *Config, v string) string { return setClients(&c.AllowedClients, "AllowedClients", v) }},
	{"BlockedClients",
		func(c *Config) string { return listOr(c.BlockedClients, "") },
		func(c *Config, v string) string { return setClients(&c.BlockedClients, "BlockedClients", v) }},
	fixed("BindExclusively", true, "ports are never shared; leave it out, or say True"),
	seconds("DefaultConnectionTimeout", func(c *Config) *time.Duration { return &c.HandshakeInactivity }),
	number("InBufferSize", 0, mostBuffer, func(c *Config) *int { return &c.InBufferSize }),
	number("OutBufferSize", 0, mostBuffer, func(c *Config) *int { return &c.OutBufferSize }),
	milliseconds("KeepAliveTime", func(c *Config) *time.Duration { return &c.KeepAliveTime }),
	milliseconds("KeepAliveInterval", func(c *Config) *time.Duration { return &c.KeepAliveInterval }),
	{"MaxConnections",
		func(c *Config) string {
			if c.MaxConnections == 0 {
				return strconv.Itoa(DefaultMaxConnections)
			}
			return strconv.Itoa(c.MaxConnections)
		},
		number("", 1, MostConnections, func(c *Config) *int { return &c.MaxConnections }).set},
	boolean("TcpNoDelay", func(c *Config) *bool { return &c.NoDelay }),
	{"UseIPv6",
		func(c *Config) string { return strconv.Itoa(int(c.UseIPv6)) },
		func(c *Config, v string) string {
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 || n > int(IPv4AndIPv6) {
				return "use 0 for IPv4, 1 for IPv6, 2 for both"
			}
			c.UseIPv6 = IPVersion(n)
			return ""
		}},
	{"SSLProvider", // a property of the reference; there is nowhere else to set it
		func(*Config) string { return "2" },
		func(_ *Config, v string) string {
			if v != "0" && v != "2" {
				return "there is one implementation of TLS, the internal one; leave it out, or use 0 or 2"
			}
			return ""
		}},
	readOnly("BuildInfo", buildInfo),
	readOnly("LicenseInfo", licenseInfo),
	{"CodePage",
		func(c *Config) string {
			if c.CodePage == 0 {
				return strconv.Itoa(int(UTF8))
			}
			return strconv.Itoa(int(c.CodePage))
		},
		func(c *Config, v string) string {
			n, err := strconv.Atoi(v)
			if err != nil || n == 0 || !CodePage(n).valid() {
				return codePageFix
			}
			c.CodePage = CodePage(n)
			return ""
		}},
	fixed("MaskSensitiveData", true, "keys and passwords are never logged; leave it out, or say True"),
	fixed("UseInternalSecurityAPI", true, "there is one implementation of TLS, the internal one; leave it out, or say True"),
}, tlsSettings)

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "1":
		return true, true
	case "false", "no", "0":
		return false, true
	}
	return false, false
}

func formatBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

const boolFix = "use True or False (or Yes, No, 1, 0)"

func boolean(name string, field func(*Config) *bool) setting {
	return setting{name,
		func(c *Config) string { return formatBool(*field(c)) },
		func(c *Config, v string) string {
			b, ok := parseBool(v)
			if !ok {
				return boolFix
			}
			*field(c) = b
			return ""
		}}
}

// fixed is a boolean that can't be changed, and says so.
func fixed(name string, value bool, fix string) setting {
	return setting{name,
		func(*Config) string { return formatBool(value) },
		func(_ *Config, v string) string {
			b, ok := parseBool(v)
			switch {
			case !ok:
				return boolFix
			case b != value:
				return fix
			}
			return ""
		}}
}

// refused is a setting that nothing but its default can be done with.
func refused(name, value, fix string) setting {
	return setting{name,
		func(*Config) string { return value },
		func(_ *Config, v string) string {
			if b, ok := parseBool(v); v == value || ok && formatBool(b) == value {
				return ""
			}
			return fix
		}}
}

func readOnly(name string, get func() string) setting {
	return setting{name,
		func(*Config) string { return get() },
		func(*Config, string) string { return "can only be read" }}
}

func number(name string, least, most int, field func(*Config) *int) setting {
	return setting{name,
		func(c *Config) string { return strconv.Itoa(*field(c)) },
		func(c *Config, v string) string {
			n, err := strconv.Atoi(v)
			if err != nil || n < least || n > most {
				return fmt.Sprintf("use %d to %d", least, most)
			}
			*field(c) = n
			return ""
		}}
}

func seconds(name string, field func(*Config) *time.Duration) setting {
	return duration(name, "seconds", time.Second, field)
}

func milliseconds(name string, field func(*Config) *time.Duration) setting {
	return duration(name, "milliseconds", time.Millisecond, field)
}

// mostTime bounds times: more than this is a slip of the pen.
const mostTime = 365 * 24 * time.Hour

func duration(name, units string, unit time.Duration, field func(*Config) *time.Duration) setting {
	most := min(int64(mostTime/unit), 1<<31-1)
	return setting{name,
		func(c *Config) string { return strconv.FormatInt(int64(*field(c)/unit), 10) },
		func(c *Config, v string) string {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil || n < 0 || n > most {
				return fmt.Sprintf("use 0 to %d %s", most, units)
			}
			*field(c) = time.Duration(n) * unit
			return ""
		}}
}

func listOr(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ",")
}

func setClients(field *[]string, name, value string) (fix string) {
	var list []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	if len(list) == 1 && list[0] == "*" && name == "AllowedClients" {
		list = nil // all, as if it weren't set
	}
	var errs optionErrors
	parseClients(&errs, name, list)
	if len(errs) > 0 {
		return strings.TrimPrefix(errs[0].Error(), "option ")
	}
	*field = list
	return ""
}
