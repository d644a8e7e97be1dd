package image

import "slices"

// What the linker can't leave out by itself, since something that runs at start, or
// that has nothing to do with it, holds on to it. Each cut lets go of one such thing and
// changes nothing that a program on a board could notice. Figures are for the default
// firmware with Go 1.26.8.
var cuts = append([]cut{
	{
		// 413 KB. gVisor can save a running system and restore it elsewhere. For
		// that, generated files give every structure methods, and keep them
		// alive by naming each structure in an init function. They also keep
		// raw and packet sockets.
		name:   "gVisor's saving and restoring",
		module: gvisor,
		omit:   "_state_autogen.go",
	},
	{
		// 190 KB: regular expressions, and Unicode's tables for them. The
		// only one is compiled at start, to shorten the stack in reports of
		// a debugging aid for locks.
		name:   "gVisor's regular expression",
		module: gvisor,
		files:  []string{"pkg/log/log.go"},
		edits: []edit{
			{
				"var stackRegexp = regexp.MustCompile(`(?m)^\\S+\\(.*\\)$\\r?\\n^\\t\\S+:\\d+.*$\\r?\\n`)",
				"func stackRegexp() *regexp.Regexp { return regexp.MustCompile(`(?m)^\\S+\\(.*\\)$\\r?\\n^\\t\\S+:\\d+.*$\\r?\\n`) }",
			},
			{"return stackRegexp.ReplaceAllFunc(", "return stackRegexp().ReplaceAllFunc("},
		},
	},
	{
		// 134 KB, and 0.8 MB with Go 1.27. slog's handlers share code that asks whether
		// the output is JSON. Without one for that, nothing of encoding/json is there.
		name:    "encoding/json in slog's text handler",
		unnamed: []string{"JSONHandler"},
		files:   []string{"log/slog/json_handler.go"},
		edits: []edit{
			{"\t\"encoding/json\"\n", "\n"},
			{"func NewJSONHandler(", "func _("},
			{"a.(json.Marshaler)", "a.(interface{ MarshalJSON() ([]byte, error) })"},
			{"\tjson *json.Encoder\n", "\n"},
			{"\t\tenc.json = json.NewEncoder(enc.buf)\n", "\n"},
			{"\t\tenc.json.SetEscapeHTML(false)\n", "\n"},
			{"\tif err := j.json.Encode(v); err != nil {\n", "\tif err := errors.ErrUnsupported; err != nil {\n"},
		},
	},
	{
		// The other package of the firmware that would have it.
		name:    "encoding/json in gVisor's log",
		module:  gvisor,
		unnamed: []string{"JSONEmitter"},
		files:   []string{"pkg/log/json.go"},
		edits: []edit{
			{"\t\"encoding/json\"\n", "\n"},
			{"type JSONEmitter struct {\n", "type _JSONEmitter struct {\n"},
			{"func (e JSONEmitter) Emit(", "func (e _JSONEmitter) _("},
			{"\tb, err := json.Marshal(j)\n", "\tb, err := []byte(nil), error(nil); _ = j\n"},
		},
		also: []part{{file: "pkg/log/json_k8s.go", edits: []edit{
			{"\t\"encoding/json\"\n", "\n"},
			{"type K8sJSONEmitter struct {\n", "type _K8sJSONEmitter struct {\n"},
			{"func (e K8sJSONEmitter) Emit(", "func (e _K8sJSONEmitter) _("},
			{"\tb, err := json.Marshal(j)\n", "\tb, err := []byte(nil), error(nil); _ = j\n"},
		}}},
	},
	{
		// 75 KB: Encrypted Client Hello, with hybrid public keys in all of their kinds, for
		// whoever sets a field of tls.Config. What asks for it without keys is answered
		// as ever.
		name:    "Encrypted Client Hello",
		unnamed: []string{"EncryptedClientHello"},
		files:   []string{"crypto/tls/ech.go"},
		edits: []edit{
			{
				"func parseECHConfigList(data []byte) ([]echConfig, error) {\n",
				"var errNoECH = errors.New(\"tls: an image has Encrypted Client Hello if its program's sources name it\"); func parseECHConfigList(data []byte) ([]echConfig, error) { return nil, errNoECH }; func _(data []byte) ([]echConfig, error) {\n",
			},
			{
				"func pickECHConfig(list []echConfig) (*echConfig, hpke.PublicKey, hpke.KDF, hpke.AEAD) {\n",
				"func pickECHConfig(list []echConfig) (*echConfig, hpke.PublicKey, hpke.KDF, hpke.AEAD) { return nil, nil, nil, nil }; func _(list []echConfig) (*echConfig, hpke.PublicKey, hpke.KDF, hpke.AEAD) {\n",
			},
			{
				"func computeAndUpdateOuterECHExtension(outer, inner *clientHelloMsg, ech *echClientContext, useKey bool) error {\n",
				"func computeAndUpdateOuterECHExtension(outer, inner *clientHelloMsg, ech *echClientContext, useKey bool) error { return errNoECH }; func _(outer, inner *clientHelloMsg, ech *echClientContext, useKey bool) error {\n",
			},
			{
				"func decodeInnerClientHello(outer *clientHelloMsg, encoded []byte) (*clientHelloMsg, error) {\n",
				"func decodeInnerClientHello(outer *clientHelloMsg, encoded []byte) (*clientHelloMsg, error) { return nil, errNoECH }; func _(outer *clientHelloMsg, encoded []byte) (*clientHelloMsg, error) {\n",
			},
			{
				"func decryptECHPayload(context *hpke.Recipient, hello, payload []byte) ([]byte, error) {\n",
				"func decryptECHPayload(context *hpke.Recipient, hello, payload []byte) ([]byte, error) { return nil, errNoECH }; func _(context *hpke.Recipient, hello, payload []byte) ([]byte, error) {\n",
			},
			{
				"func buildRetryConfigList(keys []EncryptedClientHelloKey) ([]byte, error) {\n",
				"func buildRetryConfigList(keys []EncryptedClientHelloKey) ([]byte, error) { return nil, errNoECH }; func _(keys []EncryptedClientHelloKey) ([]byte, error) {\n",
			},
			{ // as far as it goes without keys
				"func (c *Conn) processECHClientHello(outer *clientHelloMsg, echKeys []EncryptedClientHelloKey) (*clientHelloMsg, *echServerContext, error) {\n",
				"func (c *Conn) processECHClientHello(outer *clientHelloMsg, echKeys []EncryptedClientHelloKey) (*clientHelloMsg, *echServerContext, error) { " +
					"if len(echKeys) != 0 { c.sendAlert(alertInternalError); return nil, nil, errNoECH }; " +
					"switch echType, _, _, _, _, err := parseECHExt(outer.encryptedClientHello); { " +
					"case errors.Is(err, errInvalidECHExt): c.sendAlert(alertIllegalParameter); return nil, nil, errInvalidECHExt; " +
					"case err != nil: c.sendAlert(alertDecodeError); return nil, nil, errInvalidECHExt; " +
					"case echType == innerECHExt: return outer, &echServerContext{inner: true}, nil }; " +
					"return outer, nil, nil }; " +
					"func (c *Conn) _(outer *clientHelloMsg, echKeys []EncryptedClientHelloKey) (*clientHelloMsg, *echServerContext, error) {\n",
			},
		},
		also: []part{{file: "crypto/tls/handshake_client.go", edits: []edit{{
			"\t\tech.encapsulatedKey, ech.hpkeContext, err = hpke.NewSender(echPK, kdf, aead, info)\n",
			"\t\t_, _, err = echPK, info, errNoECH\n",
		}}}},
	},
	{
		// 20 KB: the authorities of a Linux system, from files. A board has none,
		// and what is returned is what the search for them ends with.
		name:  "files with a system's authorities",
		files: []string{"crypto/x509/root_unix.go", "crypto/x509/root.go"}, // until 1.26, since 1.27
		edits: []edit{{
			"func loadSystemRoots() (*CertPool, error) {",
			"func loadSystemRoots() (*CertPool, error) { return NewCertPool(), nil }; func _() (*CertPool, error) {",
		}},
	},
	{
		// 24 KB: copying from file to file in the kernel, which Ingot's has no calls for;
		// what they return leads to copying as ever.
		name:  "copies without copying",
		files: []string{"os/zero_copy_linux.go"},
		edits: []edit{
			{
				"func (f *File) writeTo(w io.Writer) (written int64, handled bool, err error) {\n",
				"func (f *File) writeTo(w io.Writer) (written int64, handled bool, err error) { return }; func (f *File) _(w io.Writer) (written int64, handled bool, err error) {\n",
			},
			{
				"func (f *File) readFrom(r io.Reader) (written int64, handled bool, err error) {\n",
				"func (f *File) readFrom(r io.Reader) (written int64, handled bool, err error) { return }; func (f *File) _(r io.Reader) (written int64, handled bool, err error) {\n",
			},
		},
	},
	{
		// 10 KB: what is in a folder. A board has none, so the kernel is asked, and says that
		// there is no such call.
		name:  "folders",
		files: []string{"os/dir_unix.go"},
		edits: []edit{{
			"func (f *File) readdir(n int, mode readdirMode) (names []string, dirents []DirEntry, infos []FileInfo, err error) {\n",
			"func (f *File) readdir(n int, mode readdirMode) (names []string, dirents []DirEntry, infos []FileInfo, err error) { if _, err = f.pfd.ReadDirent(nil); err != nil { err = &PathError{Op: \"readdirent\", Path: f.name, Err: err} }; return }; func (f *File) _(n int, mode readdirMode) (names []string, dirents []DirEntry, infos []FileInfo, err error) {\n",
		}},
	},
	{
		// 18 KB: the local time zone, from files. A board has none, so it is UTC. A program
		// with package time/tzdata may name another in TZ.
		name:  "files with time zones",
		files: []string{"time/zoneinfo_unix.go"},
		edits: []edit{{
			"func initLocal() {\n",
			"var initLocalFrom func(); func initLocal() { if initLocalFrom == nil { localLoc.name = \"UTC\"; return }; initLocalFrom() }; func initLocalFromFiles() {\n",
		}},
		also: []part{{file: "time/zoneinfo_read.go", edits: []edit{{
			"\tloadFromEmbeddedTZData = f\n",
			"\tloadFromEmbeddedTZData, initLocalFrom = f, initLocalFromFiles\n",
		}}}},
	},
	{
		// 13 KB: Unicode's tables, which package strconv has in another form.
		name:  "slog's tables of what can be printed",
		files: []string{"log/slog/text_handler.go"},
		edits: []edit{{"!unicode.IsPrint(r)", "!strconv.IsPrint(r)"}},
	},
	{
		// 53 KB: the code of a sort for each type that is sorted somewhere. Twelve
		// elements or fewer are sorted by insertion, as ever; more of them, of which
		// the firmware has none, by a heap: no more comparisons in the worst case, about
		// twice as many otherwise.
		name:  "pattern-defeating sorts",
		files: []string{"slices/sort.go"},
		edits: []edit{
			{
				"\tpdqsortOrdered(x, 0, n, bits.Len(uint(n)))\n",
				"\tif n <= 12 { insertionSortOrdered(x, 0, n) } else { heapSortOrdered(x, 0, n) }; _ = bits.Len\n",
			},
			{
				"\tpdqsortCmpFunc(x, 0, n, bits.Len(uint(n)), cmp)\n",
				"\tif n <= 12 { insertionSortCmpFunc(x, 0, n, cmp) } else { heapSortCmpFunc(x, 0, n, cmp) }\n",
			},
		},
	},
	{
		// 29 KB: descriptions of all of the runtime's metrics, made when the first one
		// of package internal/godebug is counted. Now who reads metrics makes them.
		name:  "metrics that nobody reads",
		files: []string{"runtime/metrics.go"},
		edits: []edit{
			{
				"\tmetricsLock()\n\tinitMetrics()\n\td, ok := metrics[name]\n",
				"\tmetricsLock()\n\tif !metricsInit { metricsLater = append(metricsLater, laterMetric{name, read}); metricsUnlock(); return }\n\td, ok := metrics[name]\n",
			},
			{
				"\tmetricsInit = true\n",
				"\tmetricsInit = true; for _, l := range metricsLater { d, ok := metrics[l.name]; if !ok { throw(\"runtime: unexpected metric registration for \" + l.name) }; d.compute = metricReader(l.read).compute; metrics[l.name] = d }\n",
			},
			{
				"func metricsUnlock() {\n",
				"type laterMetric struct { name string; read func() uint64 }; var metricsLater []laterMetric; func metricsUnlock() {\n",
			},
		},
	},
	{
		// 21 KB: traces of execution, which a panic completes, if there is one. Now who
		// begins a trace brings what completes it.
		name:  "traces that nobody makes",
		files: []string{"runtime/trace.go"},
		edits: []edit{{
			"func StartTrace() error {\n",
			"var traceFlush func(stopTrace bool); func StartTrace() error { traceFlush = traceAdvance\n",
		}},
		also: []part{{file: "runtime/panic.go", edits: []edit{{
			"\t\ttraceAdvance(false)\n",
			"\t\ttraceFlush(false)\n",
		}}}},
	},
	{
		// 16 KB: limits of a container, from files. A board has none.
		name:  "limits of containers",
		files: []string{"internal/runtime/cgroup/cgroup_linux.go"},
		edits: []edit{{
			"func OpenCPU(scratch []byte) (CPU, error) {\n",
			"func OpenCPU(scratch []byte) (CPU, error) { return CPU{}, ErrNoCgroup }; func _(scratch []byte) (CPU, error) {\n",
		}},
	},
	{
		// 20 KB: settings of GODEBUG for some call stacks only, by which the tool
		// bisect finds where one matters. Here they hold everywhere.
		name:  "patterns in GODEBUG",
		files: []string{"internal/godebug/godebug.go"},
		edits: []edit{
			{"\tif v.bisect != nil && !v.bisect.Stack(&stderr) {\n\t\treturn \"\"\n\t}\n", "\n\n\n"},
			{"v.bisect, _ = bisect.New(arg[j+1:])", "_ = stderr"},
		},
	},
	{
		// Filters and translation of addresses, which packets go through once there
		// are any (ReplaceTable). 17 KB of it: the tables that let everything through,
		// made for who looks at them.
		name:   "gVisor's iptables without tables",
		module: gvisor,
		files:  []string{"pkg/tcpip/stack/iptables.go"},
		edits: []edit{
			{"\t\"reflect\"\n", "\t\"reflect\"; \"gvisor.dev/gvisor/pkg/atomicbitops\"\n"},
			{
				"\tit.modified = true\n",
				"\tit.modified = true; if !filtering.Load() { checks.prerouting, checks.input, checks.forward, checks.output, checks.postrouting = (*IPTables).doPrerouting, (*IPTables).doInput, (*IPTables).doForward, (*IPTables).doOutput, (*IPTables).doPostrouting; filtering.Store(true) }\n",
			},
			{
				"func DefaultTables(clock tcpip.Clock, rand *rand.Rand) *IPTables {\n",
				"func DefaultTables(clock tcpip.Clock, rand *rand.Rand) *IPTables { return &IPTables{unmade: true, connections: ConnTrack{seed: rand.Uint32(), clock: clock, rng: rand}} }; " +
					"func (it *IPTables) make() { if it.unmade { t := defaultTables(nil, nil); it.v4Tables, it.v6Tables, it.unmade = t.v4Tables, t.v6Tables, false } }; " +
					"func defaultTables(clock tcpip.Clock, rand *rand.Rand) *IPTables {\n",
			},
			{"\t\t\tseed:  rand.Uint32(),\n", "\n"},
			{
				"\tit.mu.RLock()\n\tdefer it.mu.RUnlock()\n\treturn it.getTableRLocked(id, ipv6)\n",
				"\tit.mu.Lock()\n\tdefer it.mu.Unlock(); it.make()\n\treturn it.getTableRLocked(id, ipv6)\n",
			},
			{
				"\tdefer it.mu.Unlock()\n\n\t// If iptables is being enabled",
				"\tdefer it.mu.Unlock(); it.make()\n\n\t// If iptables is being enabled",
			},
			{
				"type checkTable struct {\n",
				"var filtering atomicbitops.Bool; var checks struct { prerouting func(*IPTables, *PacketBuffer, AddressableEndpoint, string) bool; input func(*IPTables, *PacketBuffer, string) bool; forward func(*IPTables, *PacketBuffer, string, string) bool; output func(*IPTables, *PacketBuffer, *Route, string) bool; postrouting func(*IPTables, *PacketBuffer, *Route, AddressableEndpoint, string) bool }; type checkTable struct {\n",
			},
			{
				"func (it *IPTables) CheckPrerouting(pkt *PacketBuffer, addressEP AddressableEndpoint, inNicName string) bool {\n",
				"func (it *IPTables) CheckPrerouting(pkt *PacketBuffer, addressEP AddressableEndpoint, inNicName string) bool { return !filtering.Load() || checks.prerouting(it, pkt, addressEP, inNicName) }; func (it *IPTables) doPrerouting(pkt *PacketBuffer, addressEP AddressableEndpoint, inNicName string) bool {\n",
			},
			{
				"func (it *IPTables) CheckInput(pkt *PacketBuffer, inNicName string) bool {\n",
				"func (it *IPTables) CheckInput(pkt *PacketBuffer, inNicName string) bool { return !filtering.Load() || checks.input(it, pkt, inNicName) }; func (it *IPTables) doInput(pkt *PacketBuffer, inNicName string) bool {\n",
			},
			{
				"func (it *IPTables) CheckForward(pkt *PacketBuffer, inNicName, outNicName string) bool {\n",
				"func (it *IPTables) CheckForward(pkt *PacketBuffer, inNicName, outNicName string) bool { return !filtering.Load() || checks.forward(it, pkt, inNicName, outNicName) }; func (it *IPTables) doForward(pkt *PacketBuffer, inNicName, outNicName string) bool {\n",
			},
			{
				"func (it *IPTables) CheckOutput(pkt *PacketBuffer, r *Route, outNicName string) bool {\n",
				"func (it *IPTables) CheckOutput(pkt *PacketBuffer, r *Route, outNicName string) bool { return !filtering.Load() || checks.output(it, pkt, r, outNicName) }; func (it *IPTables) doOutput(pkt *PacketBuffer, r *Route, outNicName string) bool {\n",
			},
			{
				"func (it *IPTables) CheckPostrouting(pkt *PacketBuffer, r *Route, addressEP AddressableEndpoint, outNicName string) bool {\n",
				"func (it *IPTables) CheckPostrouting(pkt *PacketBuffer, r *Route, addressEP AddressableEndpoint, outNicName string) bool { return !filtering.Load() || checks.postrouting(it, pkt, r, addressEP, outNicName) }; func (it *IPTables) doPostrouting(pkt *PacketBuffer, r *Route, addressEP AddressableEndpoint, outNicName string) bool {\n",
			},
		},
		also: []part{{file: "pkg/tcpip/stack/iptables_types.go", edits: []edit{
			{"\tmodified bool\n}", "\tmodified, unmade bool\n}"},
			{"\tfor tid := range it.v4Tables {\n", "\tit.make(); for tid := range it.v4Tables {\n"},
		}}},
	},
	// 150 KB: unrolled arithmetic of the NIST curves' fields. Squares, and the ways to
	// and from Montgomery's form, are products, too: by the number itself, by R² mod p
	// and by 1. A square has as many word products as any other product there: with P-256,
	// where it was tried, keys and signatures took 1.4 to 3 % more instructions. That is too
	// much for the curve that handshakes use, for another 18 KB. The conversions only happen
	// where numbers come and go as bytes.
	fieldCut("224", `{0xffffffff00000001, 0xffffffff00000000, 0xfffffffe00000000, 0xffffffff}`),
	fieldCut("384", `{0xfffffffe00000001, 0x200000000, 0xfffffffe00000000, 0x200000000, 1, 0}`),
	fieldCut("521", `{0, 0x400000000000, 0, 0, 0, 0, 0, 0, 0}`),
}, slices.Concat(locks, resting, shortcuts, atomics, starting)...)

// fieldCut is for the field of one curve; rr is R² mod p, its least significant word first.
func fieldCut(curve, rr string) cut {
	p := "p" + curve
	return cut{
		name:  "squares and conversions of P-" + curve,
		files: []string{"crypto/internal/fips140/nistec/fiat/" + p + ".go"},
		edits: []edit{
			{p + "Square(&e.x, &t.x)", p + "Mul(&e.x, &t.x, &t.x)"},
			{p + "ToMontgomery(&e.x, &tmp)", p + "Mul(&e.x, (*" + p + "MontgomeryDomainFieldElement)(&tmp), &" + p + "MontgomeryDomainFieldElement" + rr + ")"},
			{p + "FromMontgomery(&tmp, &e.x)", p + "Mul((*" + p + "MontgomeryDomainFieldElement)(&tmp), &e.x, &" + p + "MontgomeryDomainFieldElement{1})"},
		},
	}
}
