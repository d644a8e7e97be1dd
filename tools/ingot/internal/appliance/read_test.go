package appliance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/internal/testenv"
)

// workshop is a folder with a certificate store, in which configurations are read.
func workshop(t *testing.T) string {
	t.Helper()
	ca, sensors := certstest.NewCA(t, certstest.Template{}), certstest.NewCA(t, certstest.Template{CommonName: "Sensors"})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddAnchor("sensors", sensors)
	tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"localhost", "gateway.example"}}))
	tree.AddIdentity("client", ca.Issue(certstest.Template{Client: true}))
	dir := t.TempDir()
	tree.WriteDir(t, filepath.Join(dir, "certs", "image"))
	testenv.WriteFiles(t, dir, map[string]string{"site/index.html": "<p>hello", "site/.secret": "no", "empty/.hidden": ""})
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// read reads a configuration in a workshop.
func read(t *testing.T, dir, text string) (*Appliance, error) {
	t.Helper()
	file := filepath.Join(dir, "ingot.toml")
	write(t, file, text)
	return Read(file, Options{})
}

const echo = "[service.echo]\nkind = \"echo\"\nlisten = \":8443\"\n"

// TestProblems: what is wrong with a configuration is reported, all of it, where it is,
// with what to do.
func TestProblems(t *testing.T) {
	dir := workshop(t)
	for _, tt := range []struct {
		what, text string
		want       []string // "line:column: what is said", in the order of the places
	}{
		// Syntax.
		{"nothing", "", []string{"1:1: there is no service; add one"}},
		{"no value", "[service.echo]\nkind =\n", []string{"2:7: "}},
		{"no quotes", "[service.echo]\nkind = echo\n", []string{"2:8: "}},
		{"no bracket", "[service.echo\nkind = \"echo\"", []string{"1:14: "}},
		{"twice", echo + "listen = \":1\"\n", []string{"4:1: toml: key listen is already defined"}},
		{"a table twice", echo + "[service.echo]\n", []string{"4:2: toml: table echo already exists"}},
		{"not UTF-8", "# \xff\n" + echo, []string{"1:3: "}},
		{"not TOML at all", "<html>", []string{"1:1: "}},
		{"a zero byte", "\x00", []string{"1:1: "}},

		// Names.
		{"unknown table", "[netwrok]\n" + echo, []string{`1:2: "netwrok" is nothing that a configuration has; did you mean network?`}},
		{"unknown key at the top", "debug = true\n" + echo, []string{`1:1: "debug" is nothing that a configuration has; leave it out; there are the tables service, network, certificates`}},
		{"unknown key", "[network]\nadress = \"dhcp\"\n" + echo, []string{`2:1: [network] has no key "adress"; did you mean address?`}},
		{"unknown key of a service", echo + "  too = 1\n", []string{`4:3: service echo (echo) has no key "too"; leave it out; there are kind, listen, `}},
		{"key of another kind", echo + "to = \"a:1\"\n", []string{`4:1: service echo (echo) has no key "to"`}},
		{"key below a table", "[service.up]\nkind = \"originate\"\nlisten = \":1\"\nto = \"a:2\"\n[service.up.upstream]\npolice = \"\"\n", []string{`6:1: service up (originate) upstream has no key "police"; did you mean policy?`}},
		{"dotted key", "network.gate = 1\n" + echo, []string{`1:9: [network] has no key "gate"`}},
		{"inline table", "network = { x = 1, y = 2 }\n" + echo, []string{`1:13: [network] has no key "x"`, `1:20: [network] has no key "y"`}},
		{"TLS where there is none", "[service.up]\nkind = \"originate\"\nlisten = \":1\"\nto = \"a:2\"\nidentity = \"default\"\n", []string{`5:1: service up (originate) has no key "identity"`}},

		// Services.
		{"no kind", "[service.echo]\nlisten = \":1\"\n", []string{`1:10: service echo has no kind; add kind = "echo", `}},
		{"unknown kind", "[service.echo]\nkind = \"ecko\"\n", []string{`2:8: there is no kind of service "ecko"; did you mean "echo"?`}},
		{"another unknown kind", "[service.echo]\nkind = \"ftp\"\n", []string{`2:8: there is no kind of service "ftp"; use "echo", `}},
		{"kind of no type", "[service.echo]\nkind = 1\n", []string{"2:8: kind is an integer; use "}},
		{"no table of services", "service = 1\n", []string{"1:1: service is an integer; write [service.NAME]"}},
		{"no table of a service", "[service]\nkind = \"echo\"\n", []string{"2:1: service.kind is a string; write [service.NAME]"}},
		{"array of services", "[[service]]\nkind = \"echo\"\n", []string{"1:3: service is an array; write [service.NAME]"}},
		{"name", "[service.\"a\\nb\"]\nkind = \"echo\"\n", []string{`1:10: "a\nb" can't be the name of a service; use letters`}},
		{"missing keys", "[service.a]\nkind = \"terminate\"\n", []string{`1:10: service a (terminate) has no listen; add listen = ":8883"`, `1:10: service a (terminate) has no to; add to = `}},

		// Types.
		{"numbers", echo + "max_connections = \"5\"\nrate = true\nburst = 1.5\n", []string{
			"4:19: max_connections is a string; write a whole number, without quotes, such as 100",
			"5:8: rate is true or false; write a number", "6:9: burst is a number with a fraction; write a whole number"}},
		{"strings", echo + "identity = 5\nalpn = \"mqtt\"\nallow = [\"10.0.0.0/8\", 5]\n", []string{
			"4:12: identity is an integer; write a name", `5:8: alpn is a string; write an array of strings, such as ["mqtt"]`, "6:24: allow is an integer; write an IP address"}},
		{"IPv6", "[network]\naddress6 = \"fe80::2/64\"\ngateway6 = \"10.0.0.1\"\n" + echo, []string{
			`2:12: address6: "fe80::2/64" is not the global IPv6 address of a host with a prefix length; write one such as "2001:db8::20/64"`,
			`3:12: gateway6: "10.0.0.1" is not an IPv6 address; write one such as "fe80::1"`}},
		{"IPv6 and none", "[network]\nipv6 = false\naddress6 = \"2001:db8::2/64\"\n" + echo, []string{`3:1: address6 is given, and ipv6 is false; leave one of them out`}},
		{"a router without an IPv6 address", "[network]\ngateway6 = \"fe80::1\"\n" + echo, []string{`2:1: gateway6 is given without a fixed address; `}},
		{"an IPv6 router elsewhere", "[network]\naddress6 = \"2001:db8::2/64\"\ngateway6 = \"2001:db9::1\"\n" + echo, []string{`3:12: gateway6: 2001:db9::1 is no neighbour of 2001:db8::2/64; use `}},
		{"a level", "[log]\nlevel = \"loud\"\n" + echo, []string{`2:9: level: "loud" is not one that there is; use "debug", "info", "warn" or "error"`}},
		{"flags", "[network]\nipv6 = \"no\"\n" + echo, []string{"2:8: ipv6 is a string; write true or false, without quotes"}},
		{"durations", echo + "idle_timeout = 30\nstall_timeout = \"30\"\nhandshake_timeout = \"off\"\n", []string{
			`4:16: idle_timeout is an integer; write a duration, such as "3m"`, `5:17: stall_timeout: "30" is not a duration; use a number with a unit, such as "500ms"`,
			`6:21: handshake_timeout: "off" is not a duration`}},
		{"a date", echo + "identity = 2026-11-22\n", []string{"4:12: identity is a date or time"}},
		{"a table", "[service.up]\nkind = \"originate\"\nlisten = \":1\"\nto = \"a:2\"\nupstream = \"TLSv1.3\"\n", []string{"5:12: upstream is a string; write a table"}},

		// Ranges.
		{"ranges", echo + "max_connections = 0\nmax_per_address = -1\nrate = nan\nburst = 99999999\nidle_timeout = \"-5s\"\nstall_timeout = \"9h\"\n", []string{
			"4:19: max_connections is 0; use a number from 1 to 100000, in connections", "5:19: max_per_address is -1; ", "6:8: rate is nan; use a number above 0",
			"7:9: burst is 99999999; ", `8:16: idle_timeout: "-5s" is not`, `9:17: stall_timeout: "9h" is not a duration; use a number with a unit, such as "500ms", "30s", "5m" or "1h30m", from "1ms" to "1h", or "off"`}},
		{"too large a number", echo + "max_connections = 9223372036854775808\n", []string{"4:19: "}},
		{"choices", echo + "policy = \"2024\"\nclient_auth = \"maybe\"\nminimum_version = \"SSLv3\"\n", []string{
			`4:10: policy: "2024" is not one that there is; use "20261122", `, `5:15: client_auth: "maybe" is not one that there is; use "request" or "require"`, `6:19: minimum_version: "SSLv3"`}},
		{"addresses", "[network]\naddress = \"10.0.0.1\"\ndns = [\"10.0.0.300\"]\ntime_servers = [\"a b\", \"0.0.0.0\"]\nhost_name = \"a_b\"\nmac = \"01:00:00:00:00:00\"\n" + echo, []string{
			`2:11: address: "10.0.0.1" is not an IPv4 address with a prefix length, and not "dhcp"; write one such as "192.168.1.20/24"`,
			`3:8: dns: "10.0.0.300" is not the IP address of a host`, `4:17: time_servers: "a b" is not a host`, `4:24: time_servers: "0.0.0.0" is not a host`,
			`5:13: host_name: "a_b" is not a host name`, `6:7: mac: "01:00:00:00:00:00" is not the address of an Ethernet port; write six bytes, of which the first is even`}},
		{"the address of the network", "[network]\naddress = \"10.0.0.0/24\"\n" + echo, []string{"2:11: address: \"10.0.0.0/24\" is not"}},
		{"the address of everybody", "[network]\naddress = \"10.0.0.255/24\"\n" + echo, []string{"2:11: address: \"10.0.0.255/24\" is not"}},
		{"to listen", "[service.a]\nkind = \"echo\"\nlisten = \"8443\"\n[service.b]\nkind = \"echo\"\nlisten = \":0\"\n[service.c]\nkind = \"echo\"\nlisten = \"here:1\"\n", []string{
			`3:10: listen: "8443" is not an address with a port; write one such as ":8443"`, `6:10: listen: ":0" is not an address with a port; its port is a number from 1 to 65535`,
			`9:10: listen: "here:1" is not an address with a port; it listens at an IP address of its own`}},
		{"to connect", "[service.a]\nkind = \"terminate\"\nlisten = \":1\"\nto = \":1883\"\n[service.b]\nkind = \"terminate\"\nlisten = \":2\"\nto = \"broker\"\n", []string{
			`4:6: to: ":1883" is not an address with a port; its host is a name or an IP address`, `8:6: to: "broker" is not an address with a port; write one such as`}},
		{"empty strings", echo + "identity = \"\"\nalpn = [\"\"]\n", []string{`4:12: identity: "" is not a name; write a name, or leave the key out`, `5:9: alpn: "" is not a name; write 1 to 255 bytes`}},
		{"twice in a list", echo + "alpn = [\"a\", \"b\", \"a\"]\nallow = [\"10.0.0.1\", \"10.0.0.1/32\"]\n", []string{"4:19: alpn has a twice; leave one out", "5:22: allow has 10.0.0.1/32 twice"}},

		// Contradictions, which the services' own constructors find.
		{"versions", echo + "minimum_version = \"TLSv1.3\"\nmaximum_version = \"TLSv1.2\"\n", []string{`4:19: service echo: minimum_version = "TLSv1.3"; is above maximum_version TLSv1.2`}},
		{"policy and versions", echo + "policy = \"20261122-tls13\"\nmaximum_version = \"TLSv1.2\"\n", []string{
			`4:10: service echo: policy = "20261122-tls13"; begins with TLSv1.3; minimum_version or maximum_version is below that`}},
		{"policy and versions towards a server", "[service.up]\nkind = \"originate\"\nlisten = \":1\"\nto = \"a:2\"\n[service.up.upstream]\nmaximum_version = \"TLSv1.2\"\npolicy = \"20261122-pq\"\n", []string{
			`7:10: service up: upstream.policy = "20261122-pq"; begins with TLSv1.3`}},
		{"burst without rate", echo + "burst = 5\n", []string{"4:9: service echo: burst = 5; is a matter of rate; give that too, or leave it out"}},
		{"allowed and blocked", echo + "allow = [\"10.0.0.0/8\", \"10.1.0.0/16\"]\nblock = [\"10.1.0.0/16\"]\n", []string{
			"4:24: service echo: allow = 10.1.0.0/16; is blocked as a whole by block; leave it out of one of them"}},
		{"bits behind a prefix", echo + "block = [\"10.0.0.1/8\"]\n", []string{"4:10: service echo: block = 10.0.0.1/8; has bits behind its length; did you mean 10.0.0.0/8?"}},
		{"HTTP/2", "[service.web]\nkind = \"static\"\nlisten = \":443\"\nfiles = \"site\"\nalpn = [\"h2\"]\n", []string{`5:8: service web: alpn = [h2]; this service speaks "http/1.1" only`}},
		{"header", "[service.web]\nkind = \"static\"\nlisten = \":443\"\nfiles = \"site\"\nheaders = { \"a b\" = \"c\", ok = 1 }\n", []string{"5:31: headers.ok is an integer; write a string"}},
		{"header's name", "[service.web]\nkind = \"static\"\nlisten = \":443\"\nfiles = \"site\"\nheaders = { \"a b\" = \"c\" }\n", []string{`5:11: service web: headers = "a b"; use a header's name`}},
		{"no folder", "[service.web]\nkind = \"static\"\nlisten = \":443\"\nfiles = \"sites\"\n", []string{`4:9: files: "sites" is not a folder; name one that is there`}},
		{"folder without files", "[service.web]\nkind = \"static\"\nlisten = \":443\"\nfiles = \"empty\"\n", []string{"4:9: service web: files; has no files"}},

		// The network.
		{"gateway without address", "[network]\ngateway = \"10.0.0.1\"\n" + echo, []string{"2:1: gateway is given without a fixed address; leave it out"}},
		{"gateway with DHCP", "[network]\naddress = \"dhcp\"\ngateway = \"10.0.0.1\"\n" + echo, []string{"3:1: gateway is given without a fixed address"}},
		{"gateway elsewhere", "[network]\ngateway = \"10.1.0.1\"\naddress = \"10.0.0.2/24\"\n" + echo, []string{"2:11: gateway: 10.1.0.1 is no neighbour of 10.0.0.2/24; use the router's address in 10.0.0.0/24"}},
		{"gateway itself", "[network]\ngateway = \"10.0.0.2\"\naddress = \"10.0.0.2/24\"\n" + echo, []string{"2:11: gateway: 10.0.0.2 is no neighbour"}},
		{"IPv6 and none", "[network]\nipv6 = false\ndns = [\"2001:db8::1\"]\n[service.a]\nkind = \"echo\"\nlisten = \"[2001:db8::2]:1\"\n", []string{
			"3:8: dns: 2001:db8::1 can't be reached: ipv6 is false", "6:10: service a listens at 2001:db8::2, and ipv6 is false"}},
		{"another's address", "[network]\naddress = \"10.0.0.2/24\"\n[service.a]\nkind = \"echo\"\nlisten = \"10.0.0.3:1\"\n", []string{
			`5:10: service a listens at 10.0.0.3, and the device has the address 10.0.0.2; write ":1" or "10.0.0.2:1"`}},

		// Services in each other's way.
		{"the same port", echo + "[service.b]\nkind = \"terminate\"\nlisten = \":8443\"\nto = \"a:1\"\n", []string{"6:10: service b listens where service echo does (line 3); give each a port of its own"}},
		{"one address and all", "[service.a]\nkind = \"echo\"\nlisten = \"10.0.0.1:7\"\n[service.b]\nkind = \"echo\"\nlisten = \":7\"\n", []string{"6:10: service b listens where service a does (line 3)"}},
		{"all, written out", "[service.a]\nkind = \"echo\"\nlisten = \"0.0.0.0:7\"\n[service.b]\nkind = \"echo\"\nlisten = \"10.0.0.1:7\"\n", []string{"6:10: service b"}},
		{"mapped", "[service.a]\nkind = \"echo\"\nlisten = \"10.0.0.1:7\"\n[service.b]\nkind = \"echo\"\nlisten = \"[::ffff:10.0.0.1]:7\"\n", []string{"6:10: service b"}},
		{"three", echo + strings.ReplaceAll(echo, "echo]", "b]") + strings.ReplaceAll(echo, "echo]", "c]"), []string{"6:10: service b", "9:10: service c"}},

		{"with something else wrong", echo + "burst = 0\n" + strings.ReplaceAll(echo, "echo]", "b]"), []string{"4:9: burst is 0", "7:10: service b listens where service echo does (line 3)"}},

		// The log.
		{"no collector", "[syslog]\n" + echo, []string{"1:2: [syslog] has no to; add to = \"logs.example.com:6514\""}},
		{"the log's values", "[syslog]\nto = \"logs\"\nlevel = \"loud\"\nfacility = 16\nmax_message = 100\n" + echo, []string{
			`2:6: to: "logs" is not an address with a port`, `3:9: level: "loud" is not one that there is; use "debug", "info", "warn" or "error"`,
			"4:12: facility is an integer", "5:15: max_message is 100; use a number from 480 to 65536, in bytes"}},
		{"the log's memory", "[syslog]\nto = \"logs:6514\"\nmax_memory = 1000\n" + echo, []string{"3:14: [syslog]: max_memory = 1000; has no room for one record of max_message"}},
		{"the log's name", "[syslog]\nto = \"logs:6514\"\napp = \"a b\"\n" + echo, []string{`3:7: [syslog]: app = "a b"; use visible ASCII`}},
		{"the log's certificates", "[syslog]\nto = \"logs:6514\"\ngroup = \"logs\"\npresent = \"default\"\n" + echo, []string{
			`3:9: [syslog]: the certificate store has no group "logs"`, `4:11: [syslog]: the certificate store has no identity "default" for this`}},

		// Messages between clients.
		{"nobody shows who he is", "[service.hub]\nkind = \"json\"\nlisten = \":1\"\n", []string{`1:10: service hub: password; required, where clients need not show certificates; or set client_auth to "require"`}},
		{"memory for no message", "[service.hub]\nkind = \"json\"\nlisten = \":1\"\npassword = \"x\"\nmax_memory = 5000\n", []string{"5:14: service hub: max_memory = 5000; is below max_message"}},
		{"a secret", "[service.hub]\nkind = \"json\"\nlisten = \":1\"\npassword = \"hush\\u0007\"\n", []string{"4:12: password: the value is not a name; "}},

		// Status.
		{"everybody may see it", "[service.s]\nkind = \"status\"\nlisten = \":1\"\nclient_auth = \"request\"\n", []string{`4:15: service s: client_auth = "request"; is always "require" here`}},

		// The certificate store.
		{"no identity", echo + "identity = \"nobody.example\"\n", []string{`4:12: service echo: the certificate store has no identity "nobody.example" for this, by its folder or by a name in its certificate; use one of its identities: client, default`}},
		{"an identity for clients only", echo + "identity = \"client\"\n", []string{`4:12: service echo: the certificate store has no identity "client" for this`}},
		{"no group", echo + "client_group = \"fleet\"\n", []string{`4:16: service echo: the certificate store has no group "fleet" to judge peers by; use one of its groups: sensors`}},
		{"both", echo + "client_group = \"fleet\"\nidentity = \"nobody\"\n", []string{"4:16: service echo: ", "5:12: service echo: "}},
		{"a server's group", "[service.up]\nkind = \"originate\"\nlisten = \":1\"\nto = \"a:2\"\ngroup = \"brokers\"\npresent = \"default\"\npins = \"x\"\n", []string{
			`5:9: service up: the certificate store has no group "brokers"`, `6:11: service up: the certificate store has no identity "default" for this`, `7:8: service up: the certificate store has no set of pins "x"`}},
		{"no store", "[certificates]\nstore = \"elsewhere\"\n" + echo, []string{"2:9: there is no certificate store in " + filepath.Join(dir, "elsewhere") + "; make one with 'ingot certs init"}},
		{"an empty store", "[certificates]\nstore = \"site\"\n" + echo, []string{"2:9: certificates: "}},

		// Everything at once.
		{"several", "[netwrok]\n[network]\nipv6 = 1\n[service.a]\nkind = \"echo\"\nlisten = \"x\"\nidle_timeout = \"x\"\n[service.b]\nkind = \"c\"\n", []string{
			"1:2: ", "3:8: ", "6:10: ", "7:16: ", "9:8: "}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			_, err := read(t, dir, tt.text)
			problems, ok := errors.AsType[Problems](err)
			if !ok || !errors.Is(err, ErrConfig) {
				t.Fatalf("the error is %v", err)
			}
			var got []string
			for _, p := range problems {
				if p.File != filepath.Join(dir, "ingot.toml") || p.What == "" || p.Fix == "" {
					t.Errorf("%+v is no whole", p)
				}
				got = append(got, fmt.Sprintf("%d:%d: %s; %s", p.Line, p.Column, p.What, p.Fix))
			}
			matches := len(got) == len(tt.want)
			for i := range min(len(got), len(tt.want)) {
				matches = matches && strings.HasPrefix(got[i], tt.want[i])
			}
			if !matches {
				t.Errorf("%s\nis reported as\n%s\nand not as\n%s", tt.text, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestGood: configurations with nothing wrong with them.
func TestGood(t *testing.T) {
	dir := workshop(t)
	for _, tt := range []struct{ what, text string }{
		{"the least", echo},
		{"everything", `
network = { address = "10.0.0.2/24", gateway = "10.0.0.1", ipv6 = false, dns = ["10.0.0.1"], time_servers = ["10.0.0.1", "ntp.example"], host_name = "gw", mac = "02:00:00:00:00:01" }
[log]
level = "warn"
[certificates]
store = "certs/image"
[service."the echo"]
kind = "echo"
listen = "10.0.0.2:8443"
identity = "gateway.example"
client_auth = "request"
client_group = "sensors"
minimum_version = "TLSv1.3"
policy = "20261122"
alpn = ["a", "b"]
max_connections = 1_000
max_per_address = 0x10
max_handshakes = 5
handshake_rate = 20
rate = 1e1
burst = 3
handshake_timeout = "1m30s"
idle_timeout = "off"
stall_timeout = "1.5s"
allow = ["10.0.0.0/8", "2001:db8::1"]
block = ["10.1.0.0/16"]
[service.t]
kind = "terminate"
listen = ":8883"
to = "broker:1883"
connect_timeout = "off"
allow_truncation = true
[service.o]
kind = "originate"
listen = ":1883"
to = "[2001:db8::1]:8883"
host = "localhost"
group = "sensors"
present = "client"
upstream = { minimum_version = "TLSv1.2", alpn = ["mqtt"] }
[service.s]
kind = "static"
listen = "127.0.0.1:8443" # beside the echo's, which is another address
files = "site"
max_age = "1h"
headers = { X-A = "b" }
[service.status]
kind = "status"
listen = ":9443"
client_group = "sensors"
[service.hub]
kind = "json"
listen = ":8888"
password = "secret"
client_auth = "request"
request_timeout = "1m"
keep_alive_interval = "off"
keep_alive_timeout = "7s"
max_message = 100_000
max_queue = 200_000
max_memory = 1_000_000
max_pending = 7
write_timeout = "9s"
auth_timeout = "8s"
[syslog]
to = "logs.example:6514"
host = "logs"
group = "sensors"
present = "client"
policy = "20261122-tls13"
minimum_version = "TLSv1.3"
level = "warn"
facility = "auth"
host_name = "gw-1"
app = "gw"
max_queue = 20
max_memory = 20_000
max_message = 500
timeout = "1m"
`},
		{"IPv4's and IPv6's", "[service.a]\nkind = \"echo\"\nlisten = \"0.0.0.0:7\"\n[service.b]\nkind = \"echo\"\nlisten = \"[2001:db8::1]:7\"\n"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			a, err := read(t, dir, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			first, err := a.Generate()
			if err != nil {
				t.Fatal(err)
			}
			again, err := a.Generate()
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(first) != fmt.Sprint(again) {
				t.Error("the program is another one each time")
			}
			for _, name := range []string{"main.go", "certs/image/identities/default/key.der"} {
				if len(first[name]) == 0 {
					t.Errorf("the program has no %s", name)
				}
			}
		})
	}
}

// TestServices: what others need to know of a configuration.
func TestServices(t *testing.T) {
	a, err := read(t, workshop(t), `
[network]
address = "10.0.0.2/24"
gateway = "10.0.0.1"
[service.a]
kind = "terminate"
listen = ":8883"
to = "b:1"
client_group = "sensors"
[service.b]
kind = "originate"
listen = ":1883"
to = "b:1"
[service.c]
kind = "echo"
listen = ":443"
identity = "gateway.example"
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range a.Services {
		got = append(got, fmt.Sprintln(s.Name, s.Kind, s.Port, s.TLS, s.Mutual, s.ServerName))
	}
	want := "a terminate 8883 true true localhost\nb originate 1883 false false \nc echo 443 true false localhost\n"
	if strings.Join(got, "") != want {
		t.Errorf("got\n%swant\n%s", strings.Join(got, ""), want)
	}
	if address, gateway := a.Address(); address.String() != "10.0.0.2/24" || gateway.String() != "10.0.0.1" {
		t.Errorf("the address is %v by %v", address, gateway)
	}
}

// TestMakeCerts: certificates are made for a configuration that is good otherwise, where
// it wants them.
func TestMakeCerts(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ingot.toml")
	made := ""
	o := Options{MakeCerts: func(dir string) error {
		made = dir
		ca := certstest.NewCA(t, certstest.Template{})
		tree := certstest.Tree{}
		tree.AddAnchor("", ca)
		tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"localhost"}}))
		tree.WriteDir(t, filepath.Join(dir, "image"))
		return nil
	}}
	write(t, file, "[certificates]\nstore = \"a/b\"\n"+echo+"burst = 5\n")
	if _, err := Read(file, o); err == nil || made != "" {
		t.Errorf("made %q for a bad configuration (%v)", made, err)
	}
	write(t, file, "[certificates]\nstore = \"a/b\"\n"+echo)
	if _, err := Read(file, o); err != nil || made != filepath.Join(dir, "a", "b") {
		t.Errorf("made %q: %v", made, err)
	}
	made = ""
	if _, err := Read(file, o); err != nil || made != "" {
		t.Errorf("made %q again: %v", made, err)
	}
	failed := errors.New("no room")
	write(t, file, echo)
	if _, err := Read(file, Options{MakeCerts: func(string) error { return failed }}); !errors.Is(err, failed) {
		t.Errorf("%v is not %v", err, failed)
	}
}

// TestExpired: an identity that has expired is a problem, one that soon will is a warning.
func TestExpired(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	id := ca.Issue(certstest.Template{Names: []string{"localhost"}})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddIdentity("default", id)
	dir := t.TempDir()
	tree.WriteDir(t, filepath.Join(dir, "certs"))
	file := filepath.Join(dir, "ingot.toml")
	write(t, file, echo)
	at := func(now time.Time) (*Appliance, error) {
		return Read(file, Options{Now: func() time.Time { return now }})
	}
	if a, err := at(id.Cert.NotAfter.Add(-time.Hour)); err != nil || len(a.Warnings) == 0 || !strings.Contains(a.Warnings[0].What, "valid only until") {
		t.Errorf("an hour before: %v, %v", a, err)
	}
	if _, err := at(id.Cert.NotAfter.Add(time.Hour)); !errors.Is(err, ErrConfig) || !strings.Contains(fmt.Sprint(err), "was valid until") {
		t.Errorf("an hour after: %v", err)
	}
}

// TestFile: what can't be a configuration file at all.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(filepath.Join(dir, "none.toml"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that isn't there: %v", err)
	}
	if _, err := Read(dir, Options{}); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
	large := filepath.Join(dir, "large.toml")
	write(t, large, strings.Repeat("#", MaxSize+1))
	if _, err := Read(large, Options{}); err == nil || !strings.Contains(err.Error(), "more than a configuration file may have") {
		t.Errorf("a large file: %v", err)
	}
}

// FuzzRead: no file makes reading fail in another way than with problems.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{echo, "[network]\ndns=[[\"a\"]]\n" + echo, "service.a = {kind='static', files='/'}", "a=[{b=[{c=1}]}]", "[[service.a]]\nkind='echo'\n[[service.a]]\n", "[service.a]\nb.c=1\n[service.a.d]\n"} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		c := &checker{file: "ingot.toml", dir: dir, a: &Appliance{}}
		root, problem := parse([]byte(text))
		if problem != nil {
			return
		}
		if strings.Contains(text, "files") {
			return // which reads folders of this machine
		}
		c.tables(root)
		c.services(root)
		c.conflicts()
		for _, p := range c.problems {
			if p.Line < 1 || p.Column < 1 || p.Line > strings.Count(text, "\n")+1 {
				t.Errorf("%q: %v is nowhere in it", text, p)
			}
		}
	})
}
