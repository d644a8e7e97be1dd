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
		also: []part{{file: "pkg/tcpip/stack/route.go", edits: []edit{
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
				"func (mt MonotonicTime) Add(d time.Duration) MonotonicTime { if n := mt.nanoseconds + int64(d); (n^mt.nanoseconds)&(n^int64(d)) >= 0 { return MonotonicTime{nanoseconds: n} }\n",
			},
			{
				"func (mt MonotonicTime) Sub(u MonotonicTime) time.Duration {\n",
				"func (mt MonotonicTime) Sub(u MonotonicTime) time.Duration { if d := mt.nanoseconds - u.nanoseconds; (mt.nanoseconds^u.nanoseconds)&(mt.nanoseconds^d) >= 0 { return time.Duration(d) }\n",
			},
		},
		// And 1,500: the calendar's time that the clock counts from, copied and taken
		// apart for each of eleven looks at it. In a bubble of testing/synctest, where it is
		// the year 2000, time stays that package's.
		also: []part{{file: "pkg/tcpip/stdclock.go", edits: []edit{
			{"\t\"fmt\"\n", "\t\"fmt\"; _ \"unsafe\"\n"},
			{"type stdClock struct {\n", "type stdClock struct { baseNano int64\n"},
			{"\t\tbaseTime: time.Now(),\n", "\t\tbaseTime: time.Now(), baseNano: realNano(),\n"},
			{
				"func (s *stdClock) NowMonotonic() MonotonicTime {\n",
				"func (s *stdClock) NowMonotonic() MonotonicTime { if n := nanotime() - s.baseNano; s.baseNano != 0 && n >= 0 && s.monotonicOffset.nanoseconds == 0 { return MonotonicTime{nanoseconds: n} }\n",
			},
		}, more: "\n//go:linkname nanotime runtime.nanotime\nfunc nanotime() int64\n\nfunc realNano() int64 {\n\tif time.Now().Unix() < 1e9 {\n\t\treturn 0\n\t}\n\treturn nanotime()\n}\n"}},
	},
	{
		// 1,500 for each look at what is ready, of which there are up to one for an echo:
		// 2 KB of zeros, for 128 events. What doesn't fit comes with the next look.
		name:  "room for events",
		files: []string{"runtime/netpoll_epoll.go"},
		edits: []edit{{"\tvar events [128]linux.EpollEvent\n", "\tvar events [8]linux.EpollEvent\n"}},
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
	{
		// 0.8 of the instructions per byte of a plaintext stream, in or out, and 1.2 of
		// one with TLS. What isn't aligned as its destination is copied with shifts,
		// 16 bytes with twelve instructions; Advanced SIMD reads and writes at any
		// address, 128 bytes with seven. No pointers are copied there: those are aligned.
		// What is takes four instructions in place of twenty; VLDM and VSTM access words,
		// each at once (ARM DDI 0406C, A3.5.3), so that the collector sees no half
		// pointers. And only what overlaps is copied from its end.
		name:  "copies with shifts",
		files: []string{"runtime/memmove_arm.s"},
		edits: []edit{{
			"\tCMP\tFROM, TS\n\tBLS\t_forward\n",
			"\tSUB\tFROM, TS, R1; CMP\tN, R1\n\tBHS\t_forward\n",
		}, {
			"\tSUB\t$31, TE, TMP\t/* do 32-byte chunks if possible */\n\tMOVW\tTE, savedte-4(SP)\n",
			"\tSUB\t$127, TE, R1; CMP\tR1, TS; BHS\t_fvdone; _fv:;" +
				" WORD\t$0xecbb0b20; WORD\t$0xeca00b20;" + // vldmia r11!, {d0-d15}; vstmia r0!, {d0-d15}
				" CMP\tR1, TS; BLO\t_fv; _fvdone:; SUB\t$31, TE, TMP\n\tMOVW\tTE, savedte-4(SP)\n",
		}, {
			"_funaligned:\n\tCMP\t$2, TMP\n",
			"_funaligned:\n\tSUB\t$15, TE, R1; CMP\tR1, TS; BHS\t_fneonnone; SUB\t$127, TE, R1; CMP\tR1, TS; BHS\t_fneondone; _fneon:;" +
				" WORD\t$0xf42b020d; WORD\t$0xf42b420d;" + // vld1.8 {d0-d3}, [r11]!; vld1.8 {d4-d7}, [r11]!
				" WORD\t$0xf42b820d; WORD\t$0xf42bc20d;" + // vld1.8 {d8-d11}, [r11]!; vld1.8 {d12-d15}, [r11]!
				" WORD\t$0xeca00b20; CMP\tR1, TS; BLO\t_fneon; _fneondone:;" + // vstmia r0!, {d0-d15}
				" SUB\t$63, TE, R1; CMP\tR1, TS; BHS\t_fneonhalf;" +
				" WORD\t$0xf42b020d; WORD\t$0xf42b420d; WORD\t$0xeca00b10; _fneonhalf:;" + // vstmia r0!, {d0-d7}
				" SUB\t$31, TE, R1; CMP\tR1, TS; BHS\t_fneonquarter;" +
				" WORD\t$0xf42b020d; WORD\t$0xeca00b08; _fneonquarter:;" + // vstmia r0!, {d0-d3}
				" SUB\t$15, TE, R1; CMP\tR1, TS; BHS\t_fneonnone;" +
				" WORD\t$0xf42b0a0d; WORD\t$0xeca00b04; _fneonnone:;" + // vld1.8 {d0, d1}, [r11]!; vstmia r0!, {d0, d1}
				" CMP\t$2, TMP\n",
		}, {
			"_bunaligned:\n\tCMP\t$2, TMP\t\t/* is TMP < 2 ? */\n",
			"_bunaligned:\n\tADD\t$63, TS, R1; _bneon:; CMP\tR1, TE; BLS\t_bneondone; SUB\t$64, FROM; SUB\t$64, TE;" +
				" WORD\t$0xf42b020d; WORD\t$0xf42b420f;" + // vld1.8 {d0-d3}, [r11]!; vld1.8 {d4-d7}, [r11]
				" WORD\t$0xf408020d; WORD\t$0xf408420f;" + // vst1.8 {d0-d3}, [r8]!; vst1.8 {d4-d7}, [r8]
				" SUB\t$32, FROM; SUB\t$32, TE; B\t_bneon; _bneondone:; CMP\t$2, TMP\n",
		}},
	},
	{
		// 0.27 of the instructions per byte of a plaintext stream. Buffers are filled with
		// zeros when they are taken from their pool, and with data right afterwards. Now
		// that happens to what is shown before anything was written to it.
		name:   "zeros in gVisor's buffers",
		module: gvisor,
		files:  []string{"pkg/buffer/chunk.go"},
		edits:  []edit{{"\t\tclear(c.data)\n", "\n"}},
		also: []part{{file: "pkg/buffer/view.go", edits: []edit{
			{"\tv.write += n\n}\n\n// growCap", "\tclear(v.chunk.data[v.write : v.write+n]); v.write += n\n}\n\n// growCap"},
		}}},
	},
	{
		// 2,400, and more with the headers of TLS: nearly always the first buffer has
		// all that is asked for, and is nobody else's.
		name:   "gVisor's look at headers",
		module: gvisor,
		files:  []string{"pkg/buffer/buffer.go"},
		edits: []edit{{
			"func (b *Buffer) PullUp(offset, length int) (View, bool) {\n",
			"func (b *Buffer) PullUp(offset, length int) (View, bool) { if v := b.data.Front(); v != nil && offset >= 0 && length > 0 && length <= v.write-v.read-offset && v.chunk.refCount.Load() <= 1 { return View{read: v.read + offset, write: v.read + offset + length, chunk: v.chunk}, true }\n",
		}},
	},
	{
		// Segments that come from net/link's express are processed by the goroutine
		// that received them, instead of another one that has to be woken for each.
		// And what acknowledges no more than one segment waits until whoever has the
		// data had his turn, which express gives to all of them together: mostly he
		// answers, and the answer carries it. Duplicates, gaps and larger amounts are
		// acknowledged at once, as ever.
		name:   "gVisor's hand-over to another goroutine",
		module: gvisor,
		files:  []string{"pkg/tcpip/transport/tcp/dispatcher.go"},
		edits: []edit{
			{
				"\tif !ep.isOwnedByUser() {\n\t\td.selectProcessor(id).queueEndpoint(ep)\n",
				"\tif !ep.isOwnedByUser() { if pkt.Hash != 0 && handleInline(ep) { return }\n\t\td.selectProcessor(id).queueEndpoint(ep)\n",
			},
			{
				"\t\t\t\tif ep.segmentQueue.empty() {\n\t\t\t\t\tcontinue\n",
				"\t\t\t\tif ep.segmentQueue.empty() { ep.settle()\n\t\t\t\t\tcontinue\n",
			},
			{
				"func handleConnected(ep *Endpoint) {\n",
				"func handleConnected(ep *Endpoint) { handleConnectedSegments(ep); ep.settle() }; " +
					"func (e *Endpoint) settle() { if e.owes.Load() { e.mu.Lock(); e.settleLocked(); e.mu.Unlock() } }; " +
					"func (e *Endpoint) settleLocked() { if e.owes.Swap(false) && e.EndpointState().connected() && e.rcv.RcvNxt != e.snd.MaxSentAck { e.snd.sendAck() } }; " +
					"func (*protocol) Owes(ep *Endpoint) bool { return ep.owes.Load() }; " +
					"func (p *protocol) Settle(ep *Endpoint, id stack.TransportEndpointID) { if ep.TryLock() { ep.settleLocked(); ep.mu.Unlock() } else { p.dispatcher.selectProcessor(id).queueEndpoint(ep) } }; " +
					"func handleInline(ep *Endpoint) bool { if st := ep.EndpointState(); !st.connected() || st == StateTimeWait { return false }; handleConnectedSegments(ep); return ep.segmentQueue.empty() || ep.isOwnedByUser() }; " +
					"func handleConnectedSegments(ep *Endpoint) {\n",
			},
			// A file is changed once. 232 bytes of memory for each connection: what
			// its TCP handshake needed, with a timer.
			{
				"\t\tif !deliverAccepted(ep) {\n\t\t\tep.resetConnectionLocked(&tcpip.ErrConnectionAborted{})\n\t\t\tcleanup()\n\t\t\treturn\n\t\t}\n",
				"\t\tif !deliverAccepted(ep) {\n\t\t\tep.resetConnectionLocked(&tcpip.ErrConnectionAborted{})\n\t\t\tcleanup()\n\t\t\treturn\n\t\t}; ep.h = nil\n",
			},
		},
		also: []part{
			{file: "pkg/tcpip/transport/tcp/connect.go", more: lanes, edits: []edit{{
				"\tif e.rcv.RcvNxt != e.snd.MaxSentAck {\n\t\te.snd.sendAck()\n\t}\n\n\te.resetKeepaliveTimer(true",
				"\tif n := e.snd.MaxSentAck.Size(e.rcv.RcvNxt); n != 0 {\n\t\tif n <= seqnum.Size(e.amss) && e.EndpointState() == StateEstablished && e.rcv.pendingRcvdSegments.Len() == 0 { e.owes.Store(true) } else { e.snd.sendAck() }\n\t}\n\n\te.resetKeepaliveTimer(true",
			}, {
				"\te.stats.SegmentsSent.Increment()\n\treturn nil\n}\n\nfunc buildTCPHdr",
				"\te.stats.SegmentsSent.Increment(); e.openLane(tf)\n\treturn nil\n}\n\nfunc buildTCPHdr",
			}, {
				"func (e *Endpoint) makeOptions(sackBlocks []header.SACKBlock) []byte {\n\toptions := getOptions()\n",
				"func (e *Endpoint) makeOptions(sackBlocks []header.SACKBlock) []byte { return e.putOptions(sackBlocks, getOptions()) }; func (e *Endpoint) putOptions(sackBlocks []header.SACKBlock, options []byte) []byte {\n\n",
			}, {
				"\te.keepalive.Unlock()\n\te.snd.sendEmptySegment(",
				"\te.keepalive.Unlock(); e.lane = nil\n\te.snd.sendEmptySegment(",
			}}},
			{file: "pkg/tcpip/transport/tcp/segment.go", edits: []edit{
				// Whether a segment is in the list of what is to be sent, for which there
				// was a map: 1,000 instructions for an echo.
				{"\txmitCount uint32\n", "\txmitCount uint32; listed bool\n"},
			}},
			{file: "pkg/tcpip/transport/tcp/snd.go", edits: []edit{
				{"\tset       map[*segment]struct{}\n", "\n"},
				{"\t\t\tset: make(map[*segment]struct{}),\n", "\n"},
				{"\tif _, ok := wl.set[seg]; !ok {\n\t\tpanic(\"segment not found", "\tif !seg.listed {\n\t\tpanic(\"segment not found"},
				{"\tdelete(wl.set, seg)\n", "\tseg.listed = false\n"},
				{"\tif _, ok := wl.set[seg]; ok {\n\t\tpanic(\"segment already in write list\")\n\t}\n\twl.writeList.PushBack(seg)\n\twl.set[seg] = struct{}{}\n", "\tif seg.listed {\n\t\tpanic(\"segment already in write list\")\n\t}\n\twl.writeList.PushBack(seg)\n\tseg.listed = true\n"},
				{"\tif _, ok := wl.set[seg]; ok {\n\t\tpanic(\"segment already in write list\")\n\t}\n\twl.writeList.InsertAfter(before, seg)\n\twl.set[seg] = struct{}{}\n", "\tif seg.listed {\n\t\tpanic(\"segment already in write list\")\n\t}\n\twl.writeList.InsertAfter(before, seg)\n\tseg.listed = true\n"},
				{"\tif _, ok := s.writeList.set[seg]; !ok {\n", "\tif !seg.listed {\n"},
				{
					"\tif seg.xmitCount > 0 {\n\t\ts.ep.stack",
					"\tif seg.xmitCount > 0 { s.ep.lane = nil\n\t\ts.ep.stack",
				},
				{
					"\ts.MaxSentAck = rcvNxt\n\n\t// We need to clone",
					"\ts.MaxSentAck = rcvNxt; if s.ep.sendByLane(pkt, flags, seq, rcvNxt, rcvWnd) { return nil }\n\n\t// We need to clone",
				},
				{
					"\ts.MaxSentAck = rcvNxt\n\n\treturn s.ep.sendEmptyRaw(",
					"\ts.MaxSentAck = rcvNxt; if s.ep.sendByLane(nil, flags, seq, rcvNxt, rcvWnd) { return nil }\n\n\treturn s.ep.sendEmptyRaw(",
				},
			}},
			{file: "pkg/tcpip/transport/tcp/endpoint.go", edits: []edit{{
				"\townedByUser atomicbitops.Uint32\n",
				"\townedByUser atomicbitops.Uint32; owes atomicbitops.Bool; lane *lane\n",
			}}},
		},
	},
	{
		// Copies of gVisor's counters of IP, of about 100 pointers, and the interface's name
		// looked up for filters that there are none of.
		name:   "copies of gVisor's counters of IP",
		module: gvisor,
		files:  []string{"pkg/tcpip/network/ipv4/ipv4.go"},
		edits: []edit{
			{"\tstats := e.stats.ip\n\n\tnetworkMTU, err", "\tstats := &e.stats.ip\n\n\tnetworkMTU, err"},
			{"\tstats := e.stats.ip\n\n\tstats.PacketsReceived.Increment()\n\n\tif !e.isEnabled()", "\tstats := &e.stats.ip\n\n\tstats.PacketsReceived.Increment()\n\n\tif !e.isEnabled()"},
			{"\tstats := e.stats\n\tstats.ip.ValidPacketsReceived", "\tstats := &e.stats\n\tstats.ip.ValidPacketsReceived"},
			{"\tstats := e.stats\n\tstk := e.protocol.stack\n", "\tstats := &e.stats\n\tstk := e.protocol.stack\n"},
			{
				"locally generated.\n\toutNicName := stk.FindNICNameFromID(e.nic.ID())\n\tif ok := stk.IPTables().CheckOutput",
				"locally generated.\n\toutNicName := e.nic.Name()\n\tif ok := stk.IPTables().CheckOutput",
			},
			{
				"\toutNicName := stk.FindNICNameFromID(e.nic.ID())\n\tif ok := stk.IPTables().CheckPostrouting",
				"\toutNicName := e.nic.Name()\n\tif ok := stk.IPTables().CheckPostrouting",
			},
		},
		also: []part{{file: "pkg/tcpip/network/ipv6/ipv6.go", edits: []edit{
			{"\tstats := e.stats.ip\n\tnetworkMTU, err", "\tstats := &e.stats.ip\n\tnetworkMTU, err"},
			{
				"locally generated.\n\toutNicName := stk.FindNICNameFromID(e.nic.ID())\n\tif ok := stk.IPTables().CheckOutput",
				"locally generated.\n\toutNicName := e.nic.Name()\n\tif ok := stk.IPTables().CheckOutput",
			},
			{
				"\toutNicName := stk.FindNICNameFromID(e.nic.ID())\n\tif ok := stk.IPTables().CheckPostrouting",
				"\toutNicName := e.nic.Name()\n\tif ok := stk.IPTables().CheckPostrouting",
			},
		}}},
	},
}
