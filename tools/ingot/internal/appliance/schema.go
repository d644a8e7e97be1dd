package appliance

import (
	"log/slog"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"time"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/hub"
	"ingot.dev/firmware/relay"
	"ingot.dev/firmware/static"
	"ingot.dev/firmware/status"
	"ingot.dev/firmware/syslog"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/jsonmsg"
)

// A Type is what the value of a key can be.
type Type string

// Types. What TOML calls them is in the reference.
const (
	Text      Type = "string"
	Choice    Type = "one of"
	Flag      Type = "true or false"
	Count     Type = "integer"
	Number    Type = "number"
	Duration  Type = "duration"
	Texts     Type = "array of strings"
	Address   Type = "IP address"
	Addresses Type = "array of IP addresses"
	Interface Type = "IPv4 address with prefix length"
	Address6  Type = "IPv6 address"
	Network6  Type = "IPv6 address with prefix length"
	Prefixes  Type = "array of IP prefixes"
	Hardware  Type = "Ethernet address"
	Name      Type = "host name"
	Hosts     Type = "array of host names or IP addresses"
	Listen    Type = "[address]:port"
	Remote    Type = "host:port"
	Folder    Type = "folder"
	Pairs     Type = "table of strings"
	Keys      Type = "table"
)

// A Key is one that a configuration may have.
type Key struct {
	Name     string
	Type     Type
	Doc      string
	Unit     string // of numbers
	Default  string // what holds without the key: a value as it would be written, or words
	Example  string // a value as it is written
	Required bool
	Choices  []string
	Min, Max int           // of Count and Number
	Longest  time.Duration // of Duration
	Off      bool          // "off" is a Duration, too: no limit
	Keys     []Key         // of a table
	Secret   bool          // its value is not for messages

	field string                  // in the options of the service, or the setting of the network
	value func(choice string) any // what a Choice stands for; nil for itself
}

// A Table is a part of the file, such as [network].
type Table struct {
	Name string
	Doc  string
	Keys []Key
}

// Tables are the parts of the file beside the services.
func Tables() []Table {
	return []Table{
		{"network", "How the device is reached. Without this table it asks DHCP for everything. " +
			"Boot parameters go before what is said here: see the end of this page.", []Key{
			{Name: "address", Type: Interface, field: "INGOT_ADDR", Default: `"dhcp"`, Example: `"192.168.1.20/24"`,
				Doc: `A fixed IPv4 address, with the length of its network's prefix; "dhcp" asks DHCP.`},
			{Name: "gateway", Type: Address, field: "INGOT_GATEWAY", Default: "none: only the local network is reached", Example: `"192.168.1.1"`,
				Doc: "The IPv4 router, for a fixed address; it must be in the address's network."},
			{Name: "address6", Type: Network6, field: "INGOT_ADDR6", Default: "none", Example: `"2001:db8::20/64"`,
				Doc: "A fixed IPv6 address, with the length of its network's prefix, beside those that `ipv6` brings."},
			{Name: "gateway6", Type: Address6, field: "INGOT_GATEWAY6", Default: "those that announce themselves", Example: `"fe80::1"`,
				Doc: "The IPv6 router, for a fixed address: a link-local address, or one in the address's network."},
			{Name: "ipv6", Type: Flag, field: "INGOT_IPV6", Default: "true", Example: "false",
				Doc: "Whether there is IPv6: a link-local address, and those that routers announce."},
			{Name: "dns", Type: Addresses, field: "INGOT_DNS", Default: "those that DHCP and IPv6 routers name", Example: `["192.168.1.1", "2001:db8::1"]`,
				Doc: "Name servers. They are asked before those that DHCP and routers name."},
			{Name: "time_servers", Type: Hosts, field: "INGOT_NTP", Default: "those that DHCP names", Example: `["ntp.example.com"]`,
				Doc: "NTP servers. With none, also from DHCP, the clock is the boot loader's, or begins at the build."},
			{Name: "host_name", Type: Name, field: "INGOT_HOSTNAME", Default: "none", Example: `"gateway"`,
				Doc: "What the device calls itself to the DHCP server."},
			{Name: "mac", Type: Hardware, field: "INGOT_MAC", Default: "that of the board", Example: `"02:00:00:12:34:56"`,
				Doc: "The Ethernet port's address. It is the same on every device with this image, so leave it out if there is more than one in a network."},
		}},
		{"certificates", "The certificate store that the image gets.", []Key{
			{Name: "store", Type: Folder, field: "Certs", Default: `"certs"`, Example: `"certs"`,
				Doc: "Its folder, relative to the configuration file: one that `ingot certs init` made, whose part `image` is the store, or a store itself."},
		}},
		{"log", "What is logged on the console.", []Key{
			{Name: "level", Type: Choice, field: "INGOT_LOG_LEVEL", Choices: levels, Default: `"info"`, Example: `"warn"`,
				Doc: "The least that the console shows. `[syslog]` has a level of its own."},
		}},
		{"syslog", "Sends the log to a collector over TLS (RFC 5424, RFC 5425), too. Without this table it goes to the console only.", collecting()},
	}
}

// A Kind is a kind of service.
type Kind struct {
	Name string
	Doc  string
	Keys []Key

	plain  bool // the listener speaks no TLS
	mutual bool // it always asks clients for certificates
	maker

	// Keys that name things in the certificate store.
	identity, group string
}

// Kinds are the kinds of services that there are.
func Kinds() []Kind {
	return []Kind{
		{
			Name: "echo", Doc: "Returns what it receives.",
			Keys: join(listening("8443"), secured()), maker: calls(endpoint.Echo),
			identity: "identity", group: "client_group",
		},
		{
			Name: "terminate",
			Doc: "Takes TLS and passes what is in it to a TCP server, one connection for each. While the server is away, connections wait for it; " +
				"when one side has sent everything, so has the other; what is broken or cut off is reset.",
			Keys: join(listening("8883"), secured(), []Key{
				{Name: "to", Type: Remote, field: "To", Required: true, Example: `"10.0.0.5:1883"`, Doc: "The TCP server. A name is looked up for each connection."},
				connectTimeout("for the server"), allowTruncation,
			}),
			maker:    calls(relay.Terminate),
			identity: "identity", group: "client_group",
		},
		{
			Name: "originate",
			Doc: "Takes TCP and passes it to a TLS server, one connection for each. Whoever reaches its port speaks to the server as this device: " +
				"listen where only those can connect who may, or say in `allow` who may.",
			Keys: join(listening("1883"), []Key{
				{Name: "to", Type: Remote, field: "To", Required: true, Example: `"broker.example.com:8883"`, Doc: "The TLS server. A name is looked up for each connection."},
				{Name: "host", Type: Name, field: "Host", Default: "the host of `to`", Example: `"broker.example.com"`, Doc: "The server's name, for SNI and to compare with its certificate."},
				{Name: "group", Type: Text, field: "Group", Default: "the anchors in no group", Example: `"brokers"`, Doc: "The group of the store's anchors that vouch for the server."},
				{Name: "present", Type: Text, field: "Present", Default: "none", Example: `"client"`, Doc: "The identity of the store that is shown to the server if it asks, by its folder."},
				{Name: "pins", Type: Text, field: "Pins", Default: "none", Example: `"broker"`, Doc: "The store's set of pins that the server's keys must be in, beside all else; `ingot certs pin` makes one."},
				{Name: "upstream", Type: Keys, field: "Upstream", Default: "tlsio's defaults", Example: `{ minimum_version = "TLSv1.3" }`, Doc: "TLS towards the server.", Keys: versions()},
				connectTimeout("for the server, the TLS handshake included"), allowTruncation,
			}),
			plain: true, maker: calls(relay.Originate),
			identity: "present", group: "group",
		},
		{
			Name: "static",
			Doc:  "Serves the files of a folder over HTTPS (HTTP/1.1). A folder in it is its `index.html`; names that begin with a dot are not served, but for `.well-known`; `page.html.gz` beside `page.html` is for who takes gzip.",
			Keys: join(listening("443"), secured(), []Key{
				{Name: "files", Type: Folder, field: "Files", Required: true, Example: `"site"`, Doc: "The folder whose files are compiled in."},
				{Name: "max_age", Type: Duration, field: "MaxAge", Default: "browsers ask each time", Example: `"1h"`, Longest: 366 * 24 * time.Hour,
					Doc: "How long a browser may keep a file before it asks whether that is still the same."},
				{Name: "headers", Type: Pairs, field: "Headers", Default: "none", Example: `{ Content-Security-Policy = "default-src 'self'" }`, Doc: "Headers that are added to each answer."},
			}),
			maker:    calls(static.New),
			identity: "identity", group: "client_group",
		},
		{
			Name: "status",
			Doc:  "Shows how the firmware is doing, to clients with certificates: a page with live plots at `/`, JSON at `/status.json`, Prometheus' text at `/metrics`. What it tells is of use to attackers: name a `client_group`.",
			Keys: join(listening("9443"), secured()), maker: calls(status.New),
			identity: "identity", group: "client_group", mutual: true,
		},
		{
			Name: "json",
			Doc:  "Passes JSON messages and requests between clients that have shown who they are (tls-json): by certificates, by a password, or by both.",
			Keys: join(listening("8888"), secured(), []Key{
				{Name: "password", Type: Text, field: "Password", Secret: true, Default: "none: clients must show certificates", Example: `"correct horse battery"`, Doc: "What clients must present. It is in the image as it is here."},
				{Name: "request_timeout", Type: Duration, field: "RequestTimeout", Default: text(jsonmsg.DefaultRequestTimeout), Example: `"30s"`, Longest: time.Hour, Off: true, Doc: "How long an answer to a request may take."},
				{Name: "keep_alive_interval", Type: Duration, field: "KeepAliveInterval", Default: text(jsonmsg.DefaultKeepAliveInterval), Example: `"1m"`, Longest: 24 * time.Hour, Off: true, Doc: "The time between pings."},
				{Name: "keep_alive_timeout", Type: Duration, field: "KeepAliveTimeout", Default: text(jsonmsg.DefaultKeepAliveTimeout), Example: `"20s"`, Longest: time.Hour, Off: true, Doc: "How long the answer to a ping may take."},
				{Name: "max_message", Type: Count, field: "MaxMessage", Unit: "bytes", Min: 64, Max: 16 << 20, Default: strconv.Itoa(jsonmsg.DefaultMaxMessage), Example: "65536", Doc: "The longest message."},
				{Name: "max_queue", Type: Count, field: "MaxQueue", Unit: "bytes", Min: 1, Max: 64 << 20, Default: strconv.Itoa(jsonmsg.DefaultMaxQueue), Example: "262144", Doc: "What may wait to be sent to a client, and what of a client may wait."},
				{Name: "max_memory", Type: Count, field: "MaxMemory", Unit: "bytes", Min: 4096, Max: 256 << 20, Default: strconv.Itoa(jsonmsg.DefaultMaxMemory), Example: "4_194_304", Doc: "What all clients together may make it hold."},
				{Name: "max_pending", Type: Count, field: "MaxPending", Unit: "requests", Min: 1, Max: 100_000, Default: strconv.Itoa(jsonmsg.DefaultMaxPending), Example: "16", Doc: "How many requests to a client may wait for their answers."},
				{Name: "write_timeout", Type: Duration, field: "WriteTimeout", Default: text(jsonmsg.DefaultWriteTimeout), Example: `"30s"`, Longest: time.Hour, Off: true, Doc: "How long a client may take for each 16 KB."},
				{Name: "auth_timeout", Type: Duration, field: "AuthTimeout", Default: text(jsonmsg.DefaultAuthTimeout), Example: `"5s"`, Longest: time.Hour, Off: true, Doc: "From the end of the TLS handshake to that of the authentication."},
			}),
			maker:    calls(hub.New),
			identity: "identity", group: "client_group",
		},
	}
}

// collecting are the keys of syslog.Options.
func collecting() []Key {
	versions := versions()
	return []Key{
		{Name: "to", Type: Remote, field: "To", Required: true, Example: `"logs.example.com:6514"`, Doc: "The collector."},
		{Name: "host", Type: Name, field: "Host", Default: "the host of `to`", Example: `"logs.example.com"`, Doc: "The collector's name, for SNI and to compare with its certificate."},
		{Name: "group", Type: Text, field: "Group", Default: "the anchors in no group", Example: `"collectors"`, Doc: "The group of the store's anchors that vouch for the collector."},
		{Name: "present", Type: Text, field: "Present", Default: "none", Example: `"client"`, Doc: "The identity of the store that is shown to the collector if it asks, by its folder."},
		*find(versions, "policy"), *find(versions, "minimum_version"),
		{Name: "level", Type: Choice, field: "Level", Choices: levels, Default: `"info"`, Example: `"warn"`, Doc: "The least that is sent. The console has a level of its own, in `[log]`.",
			value: func(choice string) any {
				var l slog.Level
				if err := l.UnmarshalText([]byte(choice)); err != nil {
					panic(err)
				}
				return l
			}},
		{Name: "facility", Type: Choice, field: "Facility", Choices: facilities, Default: `"local0"`, Example: `"local3"`, Doc: "Who logs, for the collector's rules.",
			value: func(choice string) any { return facilityOf(choice) }},
		{Name: "host_name", Type: Text, field: "Hostname", Default: "the network's `host_name`", Example: `"gateway"`, Doc: "The device's name in messages."},
		{Name: "app", Type: Text, field: "App", Default: `"ingot"`, Example: `"gateway"`, Doc: "The program's name in messages."},
		{Name: "max_queue", Type: Count, field: "MaxQueue", Unit: "records", Min: 1, Max: 100_000, Default: strconv.Itoa(syslog.DefaultMaxQueue), Example: "200", Doc: "How many records wait while the collector is away. More are dropped and counted."},
		{Name: "max_memory", Type: Count, field: "MaxMemory", Unit: "bytes", Min: 480, Max: 64 << 20, Default: strconv.Itoa(syslog.DefaultMaxMemory), Example: "1_000_000", Doc: "How much memory those records take."},
		{Name: "max_message", Type: Count, field: "MaxMessage", Unit: "bytes", Min: 480, Max: 64 << 10, Default: strconv.Itoa(syslog.DefaultMaxMessage), Example: "8192", Doc: "How long a record may be; longer ones are cut."},
		{Name: "timeout", Type: Duration, field: "Timeout", Default: text(syslog.DefaultTimeout), Example: `"5s"`, Longest: time.Hour, Doc: "For connecting, the TLS handshake included, and for each write."},
	}
}

var levels = []string{"debug", "info", "warn", "error"}

// facilities are those of RFC 5424 section 6.2.1 that suit a device.
var facilities = []string{"user", "daemon", "auth", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

func facilityOf(name string) syslog.Facility {
	switch name {
	case "user":
		return 1
	case "daemon":
		return 3
	case "auth":
		return 4
	}
	return syslog.Local0 + syslog.Facility(name[len(name)-1]-'0')
}

func join(lists ...[]Key) (all []Key) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func connectTimeout(what string) Key {
	return Key{Name: "connect_timeout", Type: Duration, field: "ConnectTimeout", Default: text(relay.DefaultConnectTimeout), Example: `"30s"`, Longest: time.Hour, Off: true,
		Doc: "How long a connection may wait " + what + "."}
}

var allowTruncation = Key{Name: "allow_truncation", Type: Flag, field: "AllowTruncation", Default: "false", Example: "true",
	Doc: "Takes the end of a TCP connection for the end of its data, also without TLS's close_notify. Whoever can cut connections on the way can then cut messages short without being noticed."}

// listening are the keys of endpoint.Options that every service has.
func listening(port string) []Key {
	return []Key{
		{Name: "listen", Type: Listen, field: "Listen", Required: true, Example: `":` + port + `"`,
			Doc: "Where it listens. Without an address, it is every address of the device; IPv6 addresses stand in brackets."},
		{Name: "max_connections", Type: Count, field: "MaxConnections", Unit: "connections", Min: 1, Max: 100_000, Default: "as many as memory has room for", Example: "100",
			Doc: "How many connections there may be at a time."},
		{Name: "max_per_address", Type: Count, field: "MaxPerAddress", Unit: "connections", Min: 1, Max: 100_000, Default: "no limit", Example: "4",
			Doc: "How many connections there may be from one address, which is a /64 in IPv6."},
		{Name: "rate", Type: Number, field: "Rate", Unit: "connections per second", Min: 0, Max: 1_000_000, Default: "no limit", Example: "0.5",
			Doc: "How many connections an address may make in the long run."},
		{Name: "burst", Type: Count, field: "Burst", Unit: "connections", Min: 1, Max: 1_000_000, Default: "`rate`, rounded up", Example: "10",
			Doc: "How many connections an address may make at once, with a `rate`."},
		{Name: "idle_timeout", Type: Duration, field: "IdleTimeout", Default: text(endpoint.DefaultIdleTimeout), Example: `"3m"`, Longest: 7 * 24 * time.Hour, Off: true,
			Doc: "Ends connections on which nothing comes or goes for so long."},
		{Name: "stall_timeout", Type: Duration, field: "StallTimeout", Default: text(endpoint.DefaultStallTimeout), Example: `"1m"`, Longest: time.Hour, Off: true,
			Doc: "Ends connections whose peer doesn't take what is sent to it for so long."},
		{Name: "allow", Type: Prefixes, field: "Allow", Default: "everybody", Example: `["10.0.0.0/8", "2001:db8::/32"]`,
			Doc: "Who may connect. An address without a length is that address alone."},
		{Name: "block", Type: Prefixes, field: "Block", Default: "nobody", Example: `["10.6.0.0/16"]`,
			Doc: "Who may not connect, whatever `allow` says."},
	}
}

// secured are the keys of endpoint.Options for a listener with TLS.
func secured() []Key {
	return join([]Key{
		{Name: "identity", Type: Text, field: "Identity", Default: "all that are for servers; the client's SNI chooses", Example: `"gateway.example.com"`,
			Doc: "Who the service is: an identity of the store, by its folder or by a name in its certificate."},
		{Name: "client_auth", Type: Choice, field: "ClientAuth", Choices: []string{string(tlsio.ClientAuthRequest), string(tlsio.ClientAuthRequire)},
			Default: "`\"require\"` with a `client_group`, otherwise clients are not asked", Example: `"require"`,
			Doc: "Whether clients show certificates: `request` judges those that are shown, `require` admits no client without one."},
		{Name: "client_group", Type: Text, field: "ClientGroup", Default: "the anchors in no group", Example: `"sensors"`,
			Doc: "The group of the store's anchors that vouch for clients."},
		{Name: "max_handshakes", Type: Count, field: "MaxHandshakes", Unit: "connections", Min: 1, Max: 100_000, Default: strconv.Itoa(tlsio.DefaultMaxHandshakes), Example: "20",
			Doc: "How many connections may be in their TLS handshake at a time."},
		{Name: "handshake_rate", Type: Count, field: "HandshakeRate", Unit: "handshakes per second", Min: 1, Max: 1_000_000, Default: "20 on a board, after a quiet time 100", Example: "20",
			Doc: "How many TLS handshakes there may be in the long run, whoever makes them, so that the processor is left to those who are connected."},
		{Name: "handshake_timeout", Type: Duration, field: "HandshakeTimeout", Default: text(tlsio.DefaultHandshakeTimeout), Example: `"5s"`, Longest: 10 * time.Minute,
			Doc: "How long a TLS handshake may take."},
	}, versions())
}

// versions are the keys about TLS that exist towards clients and towards servers.
func versions() []Key {
	var policies []string
	for _, p := range tlsio.Policies() {
		policies = append(policies, string(p))
	}
	return []Key{
		{Name: "policy", Type: Choice, field: "Policy", Choices: policies, Default: "Go's own versions, suites and groups", Example: `"` + policies[0] + `"`,
			Doc: "A dated set of versions, suites, groups and least strengths, whose meaning never changes; docs/tlsio.md has the table."},
		{Name: "minimum_version", Type: Choice, field: "MinimumVersion", Choices: versionNames, Default: `"TLSv1.2"`, Example: `"TLSv1.3"`,
			Doc: "The oldest version of TLS. With a policy, it can only narrow that."},
		{Name: "maximum_version", Type: Choice, field: "MaximumVersion", Choices: versionNames, Default: `"TLSv1.3"`, Example: `"TLSv1.3"`,
			Doc: "The newest version of TLS. With a policy, it can only narrow that."},
		{Name: "alpn", Type: Texts, field: "ALPN", Default: "none", Example: `["mqtt"]`,
			Doc: "Application protocols to agree on, best first."},
	}
}

var versionNames = []string{tlsio.TLSv11, tlsio.TLSv12, tlsio.TLSv13}

// text writes a duration as it would be in a file.
func text(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return `"` + s + `"`
}

// A maker is a constructor of services.
type maker struct {
	name    string // with its package's path in front, as the runtime knows it
	options func() any
	make    func(options any) (firmware.Service, error)
}

func calls[O any](constructor func(O) (firmware.Service, error)) maker {
	return maker{
		name:    runtime.FuncForPC(reflect.ValueOf(constructor).Pointer()).Name(),
		options: func() any { return new(O) },
		make:    func(options any) (firmware.Service, error) { return constructor(*options.(*O)) },
	}
}
