package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"ingot.dev/tlsio"
)

// tlsText holds the settings of TLS. It is never changed, but replaced: copies of a
// Config may share it. A nil one is that of a Config without such settings. They are
// laid over Config.TLS when a context is made.
type tlsText struct {
	// values are the settings as they were written, by name.
	values map[string]string

	protocols    Protocols // 0: not set
	suites       []uint16  // nil: all
	cipherString []uint16
	strength     int
	groups12     []tls.CurveID
	groups13     []tls.CurveID
	signatures12 []x509.SignatureAlgorithm
	signatures13 []x509.SignatureAlgorithm
	ca           [3][][]byte // of SSLClientCACerts, OpenSSLCAFile, OpenSSLCADir
	chain        [][]byte
	keyLog       io.Writer
	reuse        *bool
	flags        SecurityFlags
}

// textSetting is a setting that tlsText keeps. set returns what would be accepted.
func textSetting(name, value string, set func(t *tlsText, c *Config, value string) (fix string)) setting {
	return setting{name,
		func(c *Config) string {
			if c.text != nil {
				if v, ok := c.text.values[name]; ok {
					return v
				}
			}
			return value
		},
		func(c *Config, v string) string {
			next := &tlsText{}
			if c.text != nil {
				*next = *c.text
			}
			if next.values = maps.Clone(next.values); next.values == nil {
				next.values = map[string]string{}
			}
			next.values[name] = v
			if fix := set(next, c, v); fix != "" {
				return fix
			}
			c.text = next
			return ""
		}}
}

// tlsSettings are those of TLS. Those that concern clients only are here because the
// reference has them on its server too.
var tlsSettings = []setting{
	boolean("LogSSLPackets", func(c *Config) *bool { return &c.LogTLSPackets }),
	textSetting("OpenSSLCADir", "", func(t *tlsText, c *Config, v string) (fix string) {
		t.ca[2], fix = readCADir(c.Files, v)
		return fix
	}),
	textSetting("OpenSSLCAFile", "", func(t *tlsText, c *Config, v string) (fix string) {
		t.ca[1], fix = readCAFile(c.Files, v)
		return fix
	}),
	textSetting("OpenSSLCipherList", "DEFAULT", func(t *tlsText, _ *Config, v string) (fix string) {
		t.cipherString, fix = parseCipherString(v)
		return fix
	}),
	refused("OpenSSLPrngSeedData", "", "random numbers come from the system's entropy and need no seed; leave it out"),
	{"ReuseSSLSession", func(c *Config) string {
		if c.text != nil && c.text.reuse != nil {
			return formatBool(*c.text.reuse)
		}
		return formatBool(!c.TLS.NoSessions)
	}, textSetting("ReuseSSLSession", "", func(t *tlsText, _ *Config, v string) string {
		b, ok := parseBool(v)
		if !ok {
			return boolFix
		}
		t.reuse = &b
		return ""
	}).set},
	refused("SSLAcceptAnyServerCert", "False", "is for clients: a server sees no server's certificate; a client says tlsio.InsecureVerifyNone in TLSOptions.VerifyMode"),
	textSetting("SSLCACerts", "", func(t *tlsText, _ *Config, v string) (fix string) {
		t.chain, fix = parseBundle(v)
		return fix
	}),
	textSetting("SSLCipherStrength", "0", func(t *tlsText, _ *Config, v string) string {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > 256 {
			return "use 0 to 256 bits"
		}
		t.strength = n
		return ""
	}),
	textSetting("SSLClientCACerts", "", func(t *tlsText, _ *Config, v string) (fix string) {
		t.ca[0], fix = parseBundle(v)
		return fix
	}),
	textSetting("SSLEnabledCipherSuites", "*", func(t *tlsText, _ *Config, v string) (fix string) {
		if v == "*" {
			t.suites = nil
			return ""
		}
		t.suites, fix = parseSuites(v)
		return fix
	}),
	{"SSLEnabledProtocols", func(c *Config) string {
		p, err := c.text.plan(&c.TLS)
		if err != nil {
			return "0"
		}
		return strconv.Itoa(int(p.protocols))
	}, textSetting("SSLEnabledProtocols", "", func(t *tlsText, _ *Config, v string) (fix string) {
		t.protocols, fix = parseProtocols(v)
		return fix
	}).set},
	fixed("SSLEnableRenegotiation", true, "a server of crypto/tls answers renegotiation_info, and never renegotiates; leave it out, or say True"),
	fixed("SSLIncludeCertChain", true, "ClientAuthentication.Chain always has the whole chain, the leaf first; leave it out, or say True"),
	textSetting("SSLKeyLogFile", "", func(t *tlsText, c *Config, v string) string {
		if t.keyLog = nil; v == "" {
			return ""
		}
		if c.OpenAppend == nil {
			return "set Config.OpenAppend, which opens the file, or give Config.TLS.KeyLog a writer"
		}
		w, err := c.OpenAppend(v)
		if err != nil {
			return "can't be opened: " + err.Error()
		}
		t.keyLog = w
		return ""
	}),
	{"SSLSecurityFlags", func(c *Config) string {
		if c.text == nil {
			return "0"
		}
		return strconv.FormatUint(uint64(c.text.flags), 10)
	}, textSetting("SSLSecurityFlags", "0", func(t *tlsText, _ *Config, v string) (fix string) {
		t.flags, fix = parseFlags(v)
		return fix
	}).set},
	refused("SSLServerCACerts", "", "is for clients; a server judges clients by SSLClientCACerts"),
	textSetting("TLS12SignatureAlgorithms", signatureList(false), func(t *tlsText, _ *Config, v string) (fix string) {
		t.signatures12, fix = parseSignatures(v, false)
		return fix
	}),
	textSetting("TLS12SupportedGroups", defaultGroups12, func(t *tlsText, _ *Config, v string) (fix string) {
		t.groups12, fix = parseGroups(v)
		return fix
	}),
	refused("TLS13KeyShareGroups", "", "a server sends one key share, in the group that the client's hello decides; use TLS13SupportedGroups"),
	textSetting("TLS13SignatureAlgorithms", signatureList(true), func(t *tlsText, _ *Config, v string) (fix string) {
		t.signatures13, fix = parseSignatures(v, true)
		return fix
	}),
	textSetting("TLS13SupportedGroups", defaultGroups13, func(t *tlsText, _ *Config, v string) (fix string) {
		t.groups13, fix = parseGroups(v)
		return fix
	}),
}

// parseProtocols reads SSLEnabledProtocols: a range of versions without holes, whose
// newest can be named to tlsio.
func parseProtocols(v string) (set Protocols, fix string) {
	const use = "use the sum of 12288 (TLS 1.3), 3072 (TLS 1.2), 768 (TLS 1.1) and 192 (TLS 1.0), without a gap"
	n, err := strconv.ParseUint(v, 0, 31)
	if err != nil {
		return 0, use
	}
	rest, ended := Protocols(n), false
	for _, p := range protocolTable {
		switch rest & p.bits {
		case p.bits:
			if p.bits <= ProtocolSSL3 {
				return 0, p.name + " is broken and not there; " + use
			}
			if ended {
				return 0, "has a gap: versions are a range in crypto/tls; " + use
			}
			set |= p.bits
		case 0:
			ended = ended || set != 0
		default:
			return 0, "has one of the two bits of " + p.name + "; " + use
		}
		rest &^= p.bits
	}
	switch {
	case rest != 0 || set == 0:
		return 0, use
	case set == ProtocolTLS10:
		return 0, "TLS 1.0 is there only beside TLS 1.1; add 768"
	}
	return set, ""
}

func parseFlags(v string) (SecurityFlags, string) {
	n, err := strconv.ParseUint(v, 0, 32)
	f := SecurityFlags(n)
	switch {
	case err != nil:
		return 0, "use the sum of the flags, in decimal or as 0x..."
	case f&trustListFlags != 0:
		return 0, "there are no certificate trust lists (CTL); leave out 0x2 and 0x200"
	case f&testRootFlags != 0:
		return 0, "there is no test root; trust it with SSLClientCACerts, and leave out 0x4000 and 0x8000"
	case f&^acceptedFlags != 0:
		return 0, fmt.Sprintf("there is no flag 0x%x; use 0x1, 0x4, 0x10, 0x20, 0x100, 0x400, 0x800 and 0x80000000", uint32(f&^acceptedFlags))
	}
	return f, ""
}

// maxBundle bounds the certificates of one setting.
const maxBundle = 512

// parseBundle reads certificates in PEM, with any text between them, into DER.
func parseBundle(v string) (ders [][]byte, fix string) {
	rest := []byte(v)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Sprintf("has a PEM block %q; leave only certificates", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Sprintf("certificate %d is broken: %v", len(ders)+1, err)
		}
		if ders = append(ders, block.Bytes); len(ders) > maxBundle {
			return nil, fmt.Sprintf("has more than %d certificates", maxBundle)
		}
	}
	if bytes.Contains(rest, []byte(pemBegin)) {
		return nil, "has a PEM block that is cut short or broken"
	}
	if ders == nil && strings.TrimSpace(v) != "" {
		return nil, "has no certificate in PEM: -----BEGIN CERTIFICATE-----"
	}
	return ders, ""
}

func readCAFile(files fs.FS, name string) ([][]byte, string) {
	if name == "" {
		return nil, ""
	}
	if files == nil {
		return nil, "set Config.Files, where files are"
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, "can't be read: " + err.Error()
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxTextSize+1))
	switch {
	case err != nil:
		return nil, "can't be read: " + err.Error()
	case len(data) > MaxTextSize:
		return nil, fmt.Sprintf("%s is larger than %d bytes", name, MaxTextSize)
	}
	ders, fix := parseBundle(string(data))
	if fix == "" && ders == nil {
		fix = "has no certificate in PEM"
	}
	if fix != "" {
		fix = name + " " + fix
	}
	return ders, fix
}

// readCADir reads all files that c_rehash would have named: eight hexadecimal digits,
// a dot, a number. They are read at once, so that nothing is opened in a handshake.
func readCADir(files fs.FS, dir string) (all [][]byte, fix string) {
	if dir == "" {
		return nil, ""
	}
	if files == nil {
		return nil, "set Config.Files, where files are"
	}
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, "can't be read: " + err.Error()
	}
	for _, e := range entries {
		hash, number, ok := strings.Cut(e.Name(), ".")
		if _, err := strconv.ParseUint(hash, 16, 32); !ok || len(hash) != 8 || err != nil {
			continue
		}
		if _, err := strconv.ParseUint(number, 10, 16); err != nil {
			continue
		}
		ders, fix := readCAFile(files, path.Join(dir, e.Name()))
		if fix != "" {
			return nil, fix
		}
		if all = append(all, ders...); len(all) > maxBundle {
			return nil, fmt.Sprintf("has more than %d certificates", maxBundle)
		}
	}
	if all == nil {
		return nil, "has no certificates under names such as 9d66eef0.0; make them with openssl rehash"
	}
	return all, ""
}

// tlsPlan is what the settings come to, taken together.
type tlsPlan struct {
	protocols Protocols
	suites    []string // up to TLS 1.2, IANA's names; nil: crypto/tls's choice
	groups    []string // nil: crypto/tls's choice
}

// protocolsOf are the versions that o names.
func protocolsOf(o *tlsio.TLSOptions) Protocols {
	lo, hi := o.MinimumVersion, o.MaximumVersion
	if hi == "" {
		hi = tlsio.TLSv13
	}
	if lo == "" {
		lo = min(tlsio.TLSv12, hi) // the names sort as the versions do
	}
	var set Protocols
	for _, p := range protocolTable {
		if p.tlsio != "" && p.tlsio >= lo && p.tlsio <= hi {
			set |= p.bits
		}
	}
	return set
}

// plan lays the settings over o. Without a setting of versions, naming only suites of
// some versions turns the others off; suites of TLS 1.3 can't be chosen singly, so
// that a choice which leaves only some of them leaves none.
func (t *tlsText) plan(o *tlsio.TLSOptions) (tlsPlan, error) {
	p := tlsPlan{protocols: protocolsOf(o)}
	if t == nil {
		return p, nil
	}
	fail := func(name, fix string) (tlsPlan, error) {
		return tlsPlan{}, &SettingError{Name: name, Value: shorten(t.values[name]), Fix: fix}
	}
	if t.protocols != 0 {
		p.protocols = t.protocols
	}
	restricted := t.suites != nil || t.cipherString != nil || t.strength > 0
	if restricted {
		modern := 0
		for _, id := range t.suites {
			if isTLS13(id) {
				modern++
			}
		}
		if modern != 0 && modern != suites13 {
			return fail("SSLEnabledCipherSuites", "the suites of TLS 1.3 can't be chosen singly; name all three of them, or none")
		}
		if t.suites != nil && modern == 0 || t.strength > 128 { // TLS_AES_128_GCM_SHA256 can't be left out
			p.protocols &^= ProtocolTLS13
		}
		for _, c := range suites12() {
			if (t.suites == nil || slices.Contains(t.suites, c.ID)) &&
				(t.cipherString == nil && (t.suites != nil || isDefault(c.ID)) || slices.Contains(t.cipherString, c.ID)) &&
				c.Bits >= t.strength {
				p.suites = append(p.suites, c.StandardName)
			}
		}
		if p.suites == nil || p.protocols == ProtocolTLS13 {
			p.suites = nil
			p.protocols &= ProtocolTLS13
		}
		if p.protocols == 0 || t.protocols != 0 && p.protocols != t.protocols {
			return fail(t.first("SSLEnabledCipherSuites", "SSLCipherStrength", "OpenSSLCipherList"),
				"leaves no suites for a version that SSLEnabledProtocols has (TLS 1.3 has all three of its suites, one of 128 bits, or none); name some for each version, or set SSLEnabledProtocols first, without it")
		}
		if p.protocols&ProtocolTLS13 == 0 && p.protocols < ProtocolTLS12 && !slices.ContainsFunc(p.suites, isOld) {
			return fail(t.first("SSLEnabledCipherSuites", "OpenSSLCipherList", "SSLCipherStrength"), "the suites are all of TLS 1.2, which SSLEnabledProtocols hasn't")
		}
	}
	return t.planGroups(p, fail)
}

// isOld reports whether TLS 1.0 and 1.1 have the suite.
func isOld(name string) bool {
	c, ok := tlsio.CipherByName(name)
	return ok && c.Version != tlsio.TLSv12
}

// planGroups: crypto/tls has one set of groups for all versions.
func (t *tlsText) planGroups(p tlsPlan, fail func(name, fix string) (tlsPlan, error)) (tlsPlan, error) {
	groups := t.groups13
	switch old, modern := p.protocols&^ProtocolTLS13 != 0, p.protocols&ProtocolTLS13 != 0; {
	case old && !modern:
		groups = t.groups12
	case old && modern && (t.groups12 != nil || t.groups13 != nil):
		a, b := classic(t.groups12, defaultGroups12), classic(t.groups13, defaultGroups13)
		if !slices.Equal(a, b) {
			return fail(t.first("TLS12SupportedGroups", "TLS13SupportedGroups"),
				"crypto/tls has one set of groups for TLS 1.2 and 1.3: give TLS12SupportedGroups and TLS13SupportedGroups the same (hybrids with ML-KEM aside), in one text, or enable one version only")
		}
		if groups == nil {
			groups = t.groups12
		}
	}
	for _, id := range groups {
		p.groups = append(p.groups, tlsio.GroupName(id))
	}
	return p, nil
}

// classic returns the groups that TLS 1.2 has too, sorted.
func classic(ids []tls.CurveID, otherwise string) []tls.CurveID {
	if ids == nil {
		ids, _ = parseGroups(otherwise)
	}
	var out []tls.CurveID
	for _, id := range ids {
		if id == tls.X25519 || id == tls.CurveP256 || id == tls.CurveP384 || id == tls.CurveP521 {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// first returns the first of the names that was set.
func (t *tlsText) first(names ...string) string {
	for _, name := range names {
		if _, ok := t.values[name]; ok {
			return name
		}
	}
	return names[0]
}

// apply changes o, which is a copy of Config.TLS, to what the settings say.
func (t *tlsText) apply(o *tlsio.TLSOptions) error {
	if t == nil {
		return nil
	}
	p, err := t.plan(o)
	if err != nil {
		return err
	}
	o.With = slices.Clone(o.With)
	o.MinimumVersion, o.MaximumVersion = "", ""
	for _, v := range protocolTable {
		if p.protocols&v.bits != 0 && v.tlsio != "" {
			if o.MinimumVersion == "" {
				o.MinimumVersion = v.tlsio
			}
			o.MaximumVersion = v.tlsio
		}
	}
	if p.protocols&ProtocolTLS10 != 0 {
		o.MinimumVersion = ""
		o.With = append(o.With, compatiblePolicy)
	}
	if p.suites != nil {
		o.With = append(o.With, tlsio.CipherSuites(p.suites))
	}
	if p.groups != nil {
		o.With = append(o.With, tlsio.Groups(p.groups))
	}
	o.CA = slices.Clone(o.CA)
	for _, ders := range t.ca {
		o.CA = append(o.CA, ders...)
	}
	if t.chain != nil {
		if len(o.ServerCertificate) == 0 {
			return &SettingError{Name: "SSLCACerts", Fix: "goes with Config.TLS.ServerCertificate, which is missing; what GetCertificate returns has its chain itself"}
		}
		o.ServerCertificate = append(slices.Clone(o.ServerCertificate), t.chain...)
	}
	if t.keyLog != nil {
		o.KeyLog = t.keyLog
	}
	if t.reuse != nil {
		o.NoSessions = !*t.reuse
	}
	return nil
}

// unused says which setting would have no effect without AuthenticateClients.
func (t *tlsText) unused() error {
	if t == nil {
		return nil
	}
	const fix = "judges clients' certificates in ClientAuthentication; set Config.AuthenticateClients, or leave it out"
	switch {
	case t.flags&(IgnoreTime|AllowUnknownAuthority|IgnoreUsage) != 0:
		return &SettingError{Name: "SSLSecurityFlags", Value: t.values["SSLSecurityFlags"], Fix: fix}
	case t.signatures12 != nil:
		return &SettingError{Name: "TLS12SignatureAlgorithms", Value: t.values["TLS12SignatureAlgorithms"], Fix: fix}
	case t.signatures13 != nil:
		return &SettingError{Name: "TLS13SignatureAlgorithms", Value: t.values["TLS13SignatureAlgorithms"], Fix: fix}
	}
	return nil
}

// compatiblePolicy is the policy that has TLS 1.0.
const compatiblePolicy tlsio.Policy = "20261122-compatible"

// judge says what is wrong with a client's certificate, after what SSLSecurityFlags
// overlooks and what ...SignatureAlgorithms forbids.
func (t *tlsText) judge(s *tlsio.State, o *tlsio.TLSOptions) error {
	err := s.AuthorizationError()
	if t == nil {
		return err
	}
	now := time.Now()
	if o.Now != nil {
		now = o.Now()
	}
	roots := x509.NewCertPool()
	if o.Roots != nil {
		roots = o.Roots.Clone()
	}
	for _, ders := range [][][]byte{o.CA, t.ca[0], t.ca[1], t.ca[2]} {
		for _, der := range ders {
			if certs, err := x509.ParseCertificates(der); err == nil {
				for _, cert := range certs {
					roots.AddCert(cert)
				}
			}
		}
	}
	if err = t.flags.overlook(err, s.PeerCertificates, roots, now); err != nil {
		return err
	}
	allowed, name := t.signatures12, "TLS12SignatureAlgorithms"
	if s.Version >= tls.VersionTLS13 {
		allowed, name = t.signatures13, "TLS13SignatureAlgorithms"
	}
	if allowed == nil || len(s.PeerCertificates) == 0 || slices.Contains(allowed, s.PeerCertificates[0].SignatureAlgorithm) {
		return nil
	}
	return errors.New("server: the certificate is signed with " + s.PeerCertificates[0].SignatureAlgorithm.String() + ", which " + name + " doesn't have")
}
