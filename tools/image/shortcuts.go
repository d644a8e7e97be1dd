package image

// What gVisor does in a long way on this processor for every packet. Each of these cuts
// computes the same with fewer instructions; figures are those of one plaintext message of
// 64 bytes and its echo, which took 153,000 on the imx6ulevk before.
var shortcuts = []cut{
	{
		// 17,600, and 8 KB. The counters are some 250 pointers, and whoever wants to
		// count gets a copy of them all.
		name:   "copies of gVisor's counters",
		module: gvisor,
		files:  []string{"pkg/tcpip/stack/stack.go"},
		edits: []edit{
			{"func (s *Stack) Stats() tcpip.Stats {\n\treturn s.stats\n", "func (s *Stack) Stats() *tcpip.Stats {\n\treturn &s.stats\n"},
			// As in cuts.go: a file is changed once. 15 KB of decoding by reflection,
			// for eight random bytes.
			{
				"if err := binary.Read(opts.SecureRNG, binary.LittleEndian, &v); err != nil {",
				"var seed [8]byte; _, err := io.ReadFull(opts.SecureRNG, seed[:]); v = int64(binary.LittleEndian.Uint64(seed[:])); if err != nil {",
			},
		},
		also: []part{{"pkg/tcpip/stack/route.go", []edit{
			{"func (r *Route) Stats() tcpip.Stats {", "func (r *Route) Stats() *tcpip.Stats {"},
		}}},
	},
	{
		// 9,000: arithmetic on times of the calendar, for a number of nanoseconds.
		name:   "gVisor's time arithmetic",
		module: gvisor,
		files:  []string{"pkg/tcpip/tcpip.go"},
		edits: []edit{
			{
				"func (mt MonotonicTime) Add(d time.Duration) MonotonicTime {\n",
				"func (mt MonotonicTime) Add(d time.Duration) MonotonicTime { if n := mt.nanoseconds + int64(d); (n >= mt.nanoseconds) == (d >= 0) { return MonotonicTime{nanoseconds: n} }\n",
			},
			{
				"func (mt MonotonicTime) Sub(u MonotonicTime) time.Duration {\n",
				"func (mt MonotonicTime) Sub(u MonotonicTime) time.Duration { if d := mt.nanoseconds - u.nanoseconds; (d >= 0) == (mt.nanoseconds >= u.nanoseconds) { return time.Duration(d) }\n",
			},
		},
	},
	{
		// 4,900: a loop over 64 bits, most of them zero, of 64 bits each.
		name:   "gVisor's search for bits",
		module: gvisor,
		files:  []string{"pkg/bits/uint64_arch_generic.go"},
		edits: []edit{{
			"\ti := 63\n\tfor ; x&(1<<63) == 0; i-- {\n\t\tx <<= 1\n\t}\n\treturn i\n",
			"\ti, w := 0, uint32(x)\n\tif x>>32 != 0 { i, w = 32, uint32(x>>32) }\n\tfor ; w > 0xff; w >>= 8 { i += 8 }\n\tfor ; w > 1; w >>= 1 { i++ }\n\treturn i\n",
		}},
	},
}
