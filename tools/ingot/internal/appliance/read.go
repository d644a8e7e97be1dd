package appliance

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"ingot.dev/firmware/syslog"
	"ingot.dev/internal/near"
	"ingot.dev/tlsio"
)

// MaxSize bounds a configuration file, in bytes.
const MaxSize = 1 << 20

// Options say how to read a configuration.
type Options struct {
	// MakeCerts, if not nil, makes development certificates in the folder that is to
	// have the certificate store, if that isn't there.
	MakeCerts func(dir string) error

	// Now is the time by which certificates are judged; nil for time.Now.
	Now func() time.Time
}

// An Appliance is a configuration that was found right.
type Appliance struct {
	File     string // of the configuration
	Name     string // of the firmware: that of the file's folder
	Certs    string // folder of the certificate store, or of what 'ingot certs init' made
	Services []*Service
	Warnings Problems

	syslog         *Service    // the log's collector, nil if there is none
	settings       [][2]string // of the network: name and value
	store          string      // folder of the certificate store itself
	bundles, rules bool        // what the store needs to be read
}

// A Service is one of the services that are configured.
type Service struct {
	Name, Kind string
	Port       int  // where it listens
	TLS        bool // whether its listener speaks TLS
	Mutual     bool // whether it asks clients for certificates
	// ServerName is a name that its certificate is valid for; "" if it has none.
	ServerName string

	where   string // for messages
	kind    Kind
	table   *node
	at      position
	options any // a pointer to the constructor's options
	listen  netip.AddrPort
}

// Address is the fixed IPv4 address that the device is to have, with its router; the
// zero Prefix for DHCP.
func (a *Appliance) Address() (address netip.Prefix, gateway netip.Addr) {
	for _, s := range a.settings {
		switch s[0] {
		case "INGOT_ADDR":
			address, _ = netip.ParsePrefix(s[1])
		case "INGOT_GATEWAY":
			gateway, _ = netip.ParseAddr(s[1])
		}
	}
	return address, gateway
}

// logLevel is the setting of the console's level.
const logLevel = "INGOT_LOG_LEVEL"

// LogLevel is the least that the console shows; "" if nothing is said of that.
func (a *Appliance) LogLevel() string {
	for _, s := range a.settings {
		if s[0] == logLevel {
			return s[1]
		}
	}
	return ""
}

// Read reads a configuration and checks everything that can be known before it is
// built. Its error is Problems, or says why a file can't be read.
func Read(file string, o Options) (*Appliance, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	c := &checker{file: file, dir: filepath.Dir(file), a: &Appliance{File: file, Name: filepath.Base(filepath.Dir(abs))}}
	root, problem := parse(data)
	if problem != nil {
		problem.File = file
		return nil, Problems{problem}
	}
	c.tables(root)
	c.services(root)
	c.collector()
	c.conflicts()
	if err := c.certificates(root, o); err != nil {
		return nil, err
	}
	c.problems.sort()
	c.a.Warnings.sort()
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return c.a, nil
}

func readFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder; name the configuration file in it, as a rule ingot.toml", file)
	case info.Size() > MaxSize:
		return nil, fmt.Errorf("%s has %d bytes, more than a configuration file may have (%d)", file, info.Size(), MaxSize)
	}
	return os.ReadFile(file)
}

// checker collects what is found.
type checker struct {
	file, dir string
	a         *Appliance
	problems  Problems
	listeners []*Service // also those with something else wrong with them

	address, address6  netip.Prefix // of the device
	noIPv6             bool
	storeAt            position
	storeDir           string
	addressAt, listens position
}

func (c *checker) bad(at position, what, fix string) {
	c.problems = append(c.problems, &Problem{c.file, at.line, at.column, what, fix})
}

func (c *checker) warn(at position, what, fix string) {
	c.a.Warnings = append(c.a.Warnings, &Problem{c.file, at.line, at.column, what, fix})
}

// values reads the keys of a table. prefix is what stands before their names in
// messages.
func (c *checker) values(table *node, keys []Key, where string, set func(k *Key, e *entry, v any)) {
	var names []string
	for _, k := range keys {
		names = append(names, k.Name)
	}
	for i := range table.keys {
		e := &table.keys[i]
		k := find(keys, e.name)
		if k == nil {
			c.unknown(e, where, names)
			continue
		}
		if k.Type == Keys {
			if e.value.shape != isTable {
				c.bad(e.value.at, k.Name+" is "+string(e.value.shape), "write a table, such as "+k.Example)
				continue
			}
			set(k, e, nil)
			continue
		}
		v, wrong := k.decode(e.value, c.dir)
		for _, w := range wrong {
			c.bad(w.at, w.what, w.fix)
		}
		if len(wrong) == 0 {
			set(k, e, v)
		}
	}
	for _, k := range keys {
		if k.Required && table.get(k.Name) == nil {
			c.bad(table.at, where+" has no "+k.Name, "add "+k.Name+" = "+k.Example)
		}
	}
}

func find(keys []Key, name string) *Key {
	for i := range keys {
		if keys[i].Name == name {
			return &keys[i]
		}
	}
	return nil
}

// unknown reports a key that isn't one.
func (c *checker) unknown(e *entry, where string, names []string) {
	fix := "leave it out; there " + list(names)
	if best, ok := near.Of(e.name, names); ok {
		fix = "did you mean " + best + "?"
	}
	c.bad(e.at, fmt.Sprintf("%s has no key %q", where, e.name), fix)
}

func list(names []string) string {
	if len(names) == 1 {
		return "is only " + names[0]
	}
	return "are " + strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// tables reads all but the services.
func (c *checker) tables(root *node) {
	tables := Tables()
	names := []string{"service"}
	for _, t := range tables {
		names = append(names, t.Name)
	}
	for i := range root.keys {
		e := &root.keys[i]
		var table *Table
		for j := range tables {
			if tables[j].Name == e.name {
				table = &tables[j]
			}
		}
		switch {
		case e.name == "service":
		case table == nil:
			fix := "leave it out; there are the tables " + strings.Join(names, ", ")
			if best, ok := near.Of(e.name, names); ok {
				fix = "did you mean " + best + "?"
			}
			c.bad(e.at, fmt.Sprintf("%q is nothing that a configuration has", e.name), fix)
		case e.value.shape != isTable:
			c.bad(e.value.at, e.name+" is "+string(e.value.shape), "write a table: ["+e.name+"]")
		case e.name == "syslog":
			c.syslog(e, table)
		default:
			c.values(e.value, table.Keys, "["+e.name+"]", func(k *Key, e *entry, v any) { c.setting(k, e, v) })
		}
	}
	c.network(root)
}

// syslog reads the options of the log's collector.
func (c *checker) syslog(e *entry, table *Table) {
	s := &Service{Name: "syslog", where: "[syslog]", kind: Kind{Name: "syslog", Keys: table.Keys}, table: e.value, at: e.at, options: new(syslog.Options)}
	if c.options(s, "[syslog]", table.Keys) {
		c.a.syslog = s
	}
}

// options reads a table into the options that it is about, and reports whether all of it
// was good.
func (c *checker) options(s *Service, where string, keys []Key) bool {
	before := len(c.problems)
	var set func(options reflect.Value, where string) func(k *Key, e *entry, v any)
	set = func(options reflect.Value, where string) func(k *Key, e *entry, v any) {
		return func(k *Key, e *entry, v any) {
			switch {
			case k.field == "":
			case k.Type == Keys:
				c.values(e.value, k.Keys, where+" "+k.Name, set(options.FieldByName(k.field), where+" "+k.Name))
			default:
				field := options.FieldByName(k.field)
				field.Set(reflect.ValueOf(v).Convert(field.Type()))
			}
		}
	}
	table := *s.table
	table.at = s.at
	c.values(&table, keys, where, set(reflect.ValueOf(s.options).Elem(), where))
	return len(c.problems) == before
}

// setting keeps the value of a key outside of services.
func (c *checker) setting(k *Key, e *entry, v any) {
	text := ""
	switch v := v.(type) {
	case *folder:
		c.storeAt, c.storeDir = e.value.at, v.dir
		return
	case netip.Prefix:
		if !v.IsValid() {
			return // DHCP
		}
		if v.Addr().Is6() {
			c.address6 = v
		} else {
			c.address = v
		}
		text = v.String()
	case bool:
		if v {
			return
		}
		c.noIPv6, text = true, "off"
	case []netip.Addr:
		var all []string
		for _, a := range v {
			all = append(all, a.String())
		}
		text = strings.Join(all, ",")
	case []string:
		text = strings.Join(v, ",")
	default:
		text = fmt.Sprint(v)
	}
	if text != "" {
		c.a.settings = append(c.a.settings, [2]string{k.field, text})
	}
}

// network checks what the keys of [network] say together.
func (c *checker) network(root *node) {
	table := root.get("network")
	if table == nil || table.value.shape != isTable {
		return
	}
	address, gateway := table.value.get("address"), table.value.get("gateway")
	if gateway != nil && gateway.value.shape == isString {
		router, err := netip.ParseAddr(gateway.value.text)
		switch {
		case err != nil:
		case address == nil || address.value.text == "dhcp":
			c.bad(gateway.at, "gateway is given without a fixed address", "leave it out: DHCP names the router; or add address = \"192.168.1.20/24\"")
		case c.address.IsValid() && (!c.address.Contains(router) || router == c.address.Addr()):
			c.bad(gateway.value.at, fmt.Sprintf("gateway: %v is no neighbour of %v", router, c.address), "use the router's address in "+c.address.Masked().String())
		}
	}
	address, gateway = table.value.get("address6"), table.value.get("gateway6")
	if address != nil && c.noIPv6 {
		c.bad(address.at, "address6 is given, and ipv6 is false", "leave one of them out")
	}
	if gateway != nil && gateway.value.shape == isString {
		router, err := netip.ParseAddr(gateway.value.text)
		switch {
		case err != nil:
		case address == nil:
			c.bad(gateway.at, "gateway6 is given without a fixed address", "leave it out: routers announce themselves; or add address6 = \"2001:db8::20/64\"")
		case c.address6.IsValid() && (!c.address6.Contains(router) && !router.IsLinkLocalUnicast() || router == c.address6.Addr()):
			c.bad(gateway.value.at, fmt.Sprintf("gateway6: %v is no neighbour of %v", router, c.address6), "use the router's link-local address, or its own in "+c.address6.Masked().String())
		}
	}
	if dns := table.value.get("dns"); dns != nil && c.noIPv6 {
		for _, item := range dns.value.items {
			if a, err := netip.ParseAddr(item.text); err == nil && a.Is6() {
				c.bad(item.at, fmt.Sprintf("dns: %v can't be reached: ipv6 is false", a), "leave it out, or ipv6")
			}
		}
	}
}

var serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_. -]{0,62}$`)

// services reads [service.NAME].
func (c *checker) services(root *node) {
	all := root.get("service")
	if all == nil {
		c.bad(position{1, 1}, "there is no service", "add one, such as\n\n    [service.echo]\n    kind = \"echo\"\n    listen = \":8443\"\n")
		return
	}
	const form = "write [service.NAME], with a name of its own for each"
	if all.value.shape != isTable {
		c.bad(all.at, "service is "+string(all.value.shape), form)
		return
	}
	for i := range all.value.keys {
		e := &all.value.keys[i]
		if e.value.shape != isTable {
			c.bad(e.at, fmt.Sprintf("service.%s is %s", e.name, e.value.shape), form)
			continue
		}
		if !serviceName.MatchString(e.name) {
			c.bad(e.at, fmt.Sprintf("%q can't be the name of a service", e.name), "use letters, digits, hyphens, dots and underscores, 63 at most")
			continue
		}
		c.service(e)
	}
}

// service reads one.
func (c *checker) service(e *entry) {
	where := "service " + e.name
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	kind := e.value.get("kind")
	if kind == nil {
		c.bad(e.at, where+" has no kind", "add kind = "+quoted(names))
		return
	}
	if kind.value.shape != isString {
		c.bad(kind.value.at, "kind is "+string(kind.value.shape), "use "+quoted(names))
		return
	}
	for _, k := range Kinds() {
		if k.Name == kind.value.text {
			c.ofKind(e, where, k)
			return
		}
	}
	fix := "use " + quoted(names)
	if best, ok := near.Of(kind.value.text, names); ok {
		fix = "did you mean \"" + best + "\"?"
	}
	c.bad(kind.value.at, fmt.Sprintf("there is no kind of service %q", kind.value.text), fix)
}

func (c *checker) ofKind(e *entry, where string, kind Kind) {
	s := &Service{Name: e.name, where: where, Kind: kind.Name, TLS: !kind.plain, kind: kind, table: e.value, at: e.at, options: kind.options()}
	options := reflect.ValueOf(s.options).Elem()
	good := c.options(s, where+" ("+kind.Name+")", append([]Key{kindKey}, kind.Keys...))
	options.FieldByName("Name").SetString(e.name)
	if host, port, err := net.SplitHostPort(options.FieldByName("Listen").String()); err == nil {
		s.Port, _ = strconv.Atoi(port)
		addr, _ := netip.ParseAddr(host)
		s.listen = netip.AddrPortFrom(addr.Unmap(), uint16(s.Port))
		c.listeners = append(c.listeners, s)
	}
	if !good {
		return // the constructor would only repeat it
	}
	if _, err := kind.make(s.options); err != nil {
		c.refused(s, err)
		return
	}
	if auth := options.FieldByName("ClientAuth"); !kind.plain && auth.IsValid() {
		s.Mutual = kind.mutual || auth.String() != "" && auth.String() != string(tlsio.ClientAuthNone) || options.FieldByName("ClientGroup").String() != ""
	}
	c.a.Services = append(c.a.Services, s)
}

// collector completes the options of the log's collector and judges them.
func (c *checker) collector() {
	if c.a.syslog == nil {
		return
	}
	o := c.a.syslog.options.(*syslog.Options)
	for _, s := range c.a.settings {
		if s[0] == "INGOT_HOSTNAME" && o.Hostname == "" {
			o.Hostname = s[1]
		}
	}
	if _, err := syslog.New(*o); err != nil {
		c.refused(c.a.syslog, err)
		c.a.syslog = nil
	}
}

var kindKey = Key{Name: "kind", Type: Text, Required: true, Doc: "Which kind of service it is."}

// refused reports what a service's constructor says about its options.
func (c *checker) refused(s *Service, err error) {
	for _, one := range leaves(err) {
		option, ok := one.(*tlsio.OptionError)
		if !ok { // a file
			at, _ := s.locate("Files")
			c.bad(at, s.where+": "+one.Error(), "change what it names")
			continue
		}
		at, name := s.locate(option.Option)
		what := s.where + ": " + name
		if option.Value != nil {
			what += " = " + show(option.Value)
		}
		c.bad(at, what, s.kind.translate(option.Fix))
	}
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	if o, ok := err.(*tlsio.OptionError); ok {
		return []error{o}
	}
	if e, ok := err.(*tlsio.Error); ok {
		return leaves(e.Err)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, leaves(e)...)
		}
		return all
	}
	return []error{err}
}

func show(v any) string {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.String {
		return strconv.Quote(rv.String())
	}
	return fmt.Sprint(v)
}

// locate finds where an option of a service stands, such as "Upstream.ALPN[0]", and what
// it is called there.
func (s *Service) locate(option string) (position, string) {
	at, name := s.at, ""
	table, keys := s.table, s.kind.Keys
	for step := range strings.SplitSeq(option, ".") {
		step, rest, _ := strings.Cut(step, "[")
		if step == "With" {
			step = "Policy" // the only one of tlsio's features that services give by name
			rest = ""
		}
		for i := range keys {
			if keys[i].field != step {
				continue
			}
			k := &keys[i]
			name = strings.TrimPrefix(name+"."+k.Name, ".")
			e := table.get(k.Name)
			if e == nil {
				return at, name
			}
			at, table, keys = e.value.at, e.value, k.Keys
			if n, err := strconv.Atoi(strings.TrimSuffix(rest, "]")); err == nil && n < len(e.value.items) {
				at = e.value.items[n].at
			}
			break
		}
	}
	if name == "" {
		name = option
	}
	return at, name
}

var goName = regexp.MustCompile(`\b[A-Z][A-Za-z]+\b`)

// translate replaces the names of options by those of keys.
func (k *Kind) translate(text string) string {
	names := map[string]string{"Off": `"off"`}
	var add func(keys []Key)
	add = func(keys []Key) {
		for _, key := range keys {
			if _, there := names[key.field]; key.field != "" && !there {
				names[key.field] = key.Name
			}
			add(key.Keys)
		}
	}
	add(k.Keys)
	return goName.ReplaceAllStringFunc(text, func(word string) string {
		if name, ok := names[word]; ok {
			return name
		}
		return word
	})
}

// conflicts compares the services' addresses with each other and with the device's.
func (c *checker) conflicts() {
	for i, s := range c.listeners {
		at, _ := s.locate("Listen")
		addr := s.listen.Addr()
		switch {
		case !addr.IsValid() || addr.IsUnspecified() || addr.IsLoopback():
		case addr.Is4() && c.address.IsValid() && addr != c.address.Addr():
			c.bad(at, fmt.Sprintf("service %s listens at %v, and the device has the address %v", s.Name, addr, c.address.Addr()),
				fmt.Sprintf(`write ":%d" or "%v:%[1]d"`, s.Port, c.address.Addr()))
		}
		if addr.Is6() && c.noIPv6 {
			c.bad(at, fmt.Sprintf("service %s listens at %v, and ipv6 is false", s.Name, addr), fmt.Sprintf(`write ":%d", or leave ipv6 out`, s.Port))
		}
		for _, other := range c.listeners[:i] {
			if s.Port == other.Port && overlap(addr, other.listen.Addr()) {
				where, _ := other.locate("Listen")
				c.bad(at, fmt.Sprintf("service %s listens where service %s does (line %d)", s.Name, other.Name, where.line), "give each a port of its own")
				break
			}
		}
	}
}

// overlap says whether listeners at two addresses, which may be those of every address,
// are in each other's way.
func overlap(a, b netip.Addr) bool {
	every := func(x, y netip.Addr) bool {
		return !x.IsValid() || x.IsUnspecified() && (x.Is6() || !y.IsValid() || y.Is4())
	}
	return a == b || every(a, b) || every(b, a)
}
